"""Measures and post-processing of nuclei beside MONAI's and the authors' code: CPU-seconds and values, in one run.

python pipelines/benchmarks/nuclei_metrics.py [--monai] [--hover-net FOLDER] [--size 1000 --nuclei 500]

MONAI takes minutes. The authors' code is a checkout of github.com/vqdang/hover_net; its module imports OpenCV, which
its measures do not use: an empty module stands in for it.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from medarch.core.separation import Separation
from medarch.evaluation.nuclei.aggregated_jaccard import aggregated_jaccard
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import panoptic_quality
from medarch.evaluation.nuclei.pixel_dice import pixel_dice
from medarch.inference.nuclei.outlines import outlines
from medarch.tasks.nuclei.classify_nuclei import classify_nuclei
from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

KINDS = 5


def nuclei_of(size: int, count: int, seed: int = 0) -> np.ndarray:
    """Ellipses with radii of 8 to 14 pixels, some cut by their neighbours."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[-14:15, -14:15]
    labels = np.zeros((size, size), np.int32)
    number = 0
    while number < count:
        y, x = generator.integers(14, size - 15, 2)
        a, b = generator.uniform(8, 14, 2)
        angle = generator.uniform(0, np.pi)
        along = rows * np.sin(angle) + columns * np.cos(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        ellipse = (along / a) ** 2 + (across / b) ** 2 < 1
        window = labels[y - 14 : y + 15, x - 14 : x + 15]
        free = ellipse & (window == 0)
        if free.sum() > 0.7 * ellipse.sum():
            number += 1
            window[free] = number
    return labels


def timed(what: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        value = what()
        best = min(best, time.process_time() - begin)
    return best, value


def ours(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    table = overlap_table(truth, found)
    return {
        "PQ": panoptic_quality(table).quality,
        "AJI": aggregated_jaccard(table),
        "AJI+": aggregated_jaccard(table, one_to_one=True),
        "Dice": pixel_dice(table),
    }


def authors(folder: Path, truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    sys.path.insert(0, str(folder))
    sys.modules.setdefault("cv2", types.ModuleType("cv2"))
    from metrics import stats_utils  # type: ignore[import-not-found]

    return {
        "PQ": stats_utils.get_fast_pq(truth, found)[0][2],
        "AJI": stats_utils.get_fast_aji(truth, found),
        "AJI+": stats_utils.get_fast_aji_plus(truth, found),
        "Dice": stats_utils.get_dice_1(truth, found),
    }


def monai_measures(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    import torch
    from monai.metrics.panoptic_quality import compute_panoptic_quality

    return {"PQ": float(compute_panoptic_quality(torch.from_numpy(found), torch.from_numpy(truth)))}


def monai_separation(maps: dict[str, np.ndarray]) -> int:
    import torch
    from monai.apps.pathology.transforms import (
        HoVerNetInstanceMapPostProcessing,
        HoVerNetNuclearTypePostProcessing,
    )

    nuclei = torch.from_numpy(np.stack([-maps["np"] * 8, maps["np"] * 8]))
    info, instances = HoVerNetInstanceMapPostProcessing(sobel_kernel_size=21)(nuclei, torch.from_numpy(maps["hv"]))
    HoVerNetNuclearTypePostProcessing(return_type_map=False)(torch.from_numpy(maps["types"]), info, instances)
    return int(instances.max())


def our_separation(maps: dict[str, np.ndarray]) -> int:
    nuclei = separate_nuclei((maps["np"] > 0).astype(np.float32), maps["hv"], Separation())
    classify_nuclei(nuclei, maps["types"])
    outlines(nuclei)
    return int(nuclei.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--monai", action="store_true")
    parser.add_argument("--hover-net", type=Path)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--nuclei", type=int, default=500)
    options = parser.parse_args()
    truth = nuclei_of(options.size, options.nuclei)
    shares = np.random.default_rng(1).random((KINDS, *truth.shape), dtype=np.float32)
    maps = {"np": np.where(truth > 0, 1.0, -1.0).astype(np.float32), "hv": distance_maps(truth), "types": shares}
    # Every nucleus a little too large or too small, some missing.
    found = np.roll(truth, (1, 2), (0, 1))
    found[np.isin(found, np.arange(1, options.nuclei, 17))] = 0
    numbers = np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int32)

    seconds, values = timed(lambda: ours(truth, numbers), 3)
    print(f"measures, medarch    {seconds:8.3f} CPU-s  " + str({name: round(v, 6) for name, v in values.items()}))
    if options.hover_net:
        theirs, other = timed(lambda: authors(options.hover_net, truth, numbers))
        print(f"measures, authors    {theirs:8.3f} CPU-s  " + str({n: round(float(v), 6) for n, v in other.items()}))
        print(f"  ratio {theirs / seconds:.0f}, largest difference {max(abs(other[n] - values[n]) for n in other):.1e}")
    if options.monai:
        theirs, other = timed(lambda: monai_measures(truth, numbers))
        print(f"measures, MONAI      {theirs:8.3f} CPU-s  PQ only, {other['PQ']:.6f}; ratio {theirs / seconds:.0f}")
    seconds, count = timed(lambda: our_separation(maps), 3)
    print(f"separation, medarch  {seconds:8.3f} CPU-s  {count} nuclei, with types and outlines")
    if options.monai:
        theirs, count = timed(lambda: monai_separation(maps))
        print(f"separation, MONAI    {theirs:8.3f} CPU-s  {count} nuclei; ratio {theirs / seconds:.0f}")


if __name__ == "__main__":
    main()
