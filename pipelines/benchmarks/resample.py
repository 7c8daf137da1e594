"""Resampling of real volumes: medarch's matrix products against scipy and scikit-image, as nnU-Net calls them.

    python pipelines/benchmarks/resample.py [--runs 3]

Rows: a CT (3 mm to 1.5 mm and 5 mm), cubic and linear; an ACDC frame whose thick slices are resampled apart.
`skimage.transform.resize(mode="edge", anti_aliasing=False)` is what nnU-Net calls; scipy's `zoom(grid_mode=True)` is
what that calls in turn. Arrays lie in memory as in preprocessing (slices first), the same for all; medians. Printed:
seconds of a first case (matrices are made) and of a later one, ratios of the first, and the largest difference as a
share of the range of values.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from skimage.transform import resize

from medarch.preprocessing.interpolation import interpolation_bands, interpolation_matrix, nearest_indices
from medarch.preprocessing.resample import resample

SHARED = Path(__file__).resolve().parents[3] / "shared/data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    ct = read(SHARED / "totalseg_samples/ct_3mm.nii.gz")
    heart = read(sorted((SHARED / "ACDC_subset30/imagesTr").glob("*.nii.gz"))[0])
    print(f"{'':<44}{'medarch s':>11}{'later':>9}{'skimage s':>11}{'ratio':>8}{'scipy s':>11}{'ratio':>8}{'error':>10}")
    for order in (3, 1):
        for name, share in (("CT twice as fine", 2.0), ("CT at 5 mm", 0.6)):
            shape = tuple(round(size * share) for size in ct.shape)
            row(f"{name}, order {order}, {shape}", ct, shape, order, None, runs)
        shape = (heart.shape[0] * 2, round(heart.shape[1] * 1.2), round(heart.shape[2] * 1.2))
        row(f"heart, slices apart, order {order}, {shape}", heart, shape, order, 0, runs)


def row(name: str, volume: np.ndarray, shape: tuple[int, ...], order: int, apart: int | None, runs: int) -> None:
    def call() -> np.ndarray:
        return resample(volume[None], shape, order=order, separate_axis=apart)[0]  # type: ignore[arg-type]

    ours, mine = clock(call, runs)
    later, _ = clock(call, runs, forget=False)
    if apart is None:
        theirs, expected = clock(lambda: skimage(volume, shape, order), runs)
        plain, _ = clock(lambda: scipy_zoom(volume, shape, order), runs)
    else:
        theirs, expected = clock(lambda: planes(volume, shape, order, skimage), runs)
        plain, _ = clock(lambda: planes(volume, shape, order, scipy_zoom), runs)
    error = np.abs(mine - expected).max() / (volume.max() - volume.min())
    ratios = f"{theirs:>11.4f}{theirs / ours:>8.1f}{plain:>11.4f}{plain / ours:>8.1f}"
    print(f"{name:<44}{ours:>11.4f}{later:>9.4f}{ratios}{error:>10.1e}")


def skimage(volume: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    found: np.ndarray = resize(volume, shape, order, mode="edge", anti_aliasing=False, clip=True)
    return found


def scipy_zoom(volume: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    factors = [new / old for new, old in zip(shape, volume.shape, strict=True)]
    found: np.ndarray = ndimage.zoom(volume, factors, order=order, mode="nearest", grid_mode=True)
    return found


def planes(volume: np.ndarray, shape: tuple[int, ...], order: int, one: Callable[..., np.ndarray]) -> np.ndarray:
    """Slice by slice, then the nearest slice: nnU-Net's rule for thick slices."""
    flat = np.stack([one(plane, shape[1:], order) for plane in volume])
    centres = (np.arange(shape[0]) + 0.5) * volume.shape[0] / shape[0] - 0.5
    grid = np.meshgrid(centres, np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    found: np.ndarray = ndimage.map_coordinates(flat, grid, order=0, mode="nearest")
    return found


def clock(call: Callable[[], np.ndarray], runs: int, *, forget: bool = True) -> tuple[float, np.ndarray]:
    """Median seconds and the result; ``forget`` our matrices every time, as for a first case."""
    seconds = []
    for _ in range(runs):
        for cached in (interpolation_bands, interpolation_matrix, nearest_indices) if forget else ():
            cached.cache_clear()
        started = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), found


def read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(nib.load(path).dataobj, dtype=np.float32).transpose(2, 1, 0))


if __name__ == "__main__":
    main()
