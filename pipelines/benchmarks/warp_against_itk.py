"""`medarch warp` beside SimpleITK: the same files applied to the same images, differences in grey values and in time.

python pipelines/benchmarks/warp_against_itk.py FIXED.nii.gz MOVING.nii.gz --labels MOVING_seg.nii.gz

Makes a smooth random displacement field on the fixed grid (largest vector 8 mm) and a turn about the moving image's
centre, has medarch write them in every format, and lets both programs apply each file. CPU-seconds are of one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK
from scipy import ndimage
from scipy.spatial.transform import Rotation

import medarch
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.evaluation.registration.inverse_consistency import inverse_consistency
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.transforms.write_transform import write_transform
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.warp_file import read_chain

LARGEST_MM = 8.0
MODES = {
    "linear": SimpleITK.sitkLinear,
    "cubic": SimpleITK.sitkBSpline,
    "nearest": SimpleITK.sitkNearestNeighbor,
}


def main() -> None:
    """Write, apply, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fixed", type=Path)
    parser.add_argument("moving", type=Path)
    parser.add_argument("--labels", type=Path, help="label map of the moving image")
    options = parser.parse_args()
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    fixed, moving = (read_geometry(path)[0] for path in (options.fixed, options.moving))
    chain = made_up(fixed, moving)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {
            "composite .h5": ["chain.h5"],
            "composite .tfm": ["chain.tfm"],
            "field, .mat": ["field.nii.gz", "a.mat"],
        }
        for suffix in (".h5", ".tfm"):
            write_transform(folder / f"chain{suffix}", chain)
        write_transform(folder / "field.nii.gz", chain.parts[0])
        write_transform(folder / "a.mat", chain.parts[1])
        print("| file | interpolation | largest difference | of | medarch CPU-s | SimpleITK CPU-s |")
        print("|---|---|---|---|---|---|")
        for title, names in files.items():
            paths = [folder / each for each in names]
            for mode in MODES if title == "composite .h5" else ("linear",):
                source = options.labels if mode == "nearest" and options.labels else options.moving
                compare(title, mode, source, options.fixed, paths)
    started = time.process_time()
    back = compose_field(chain.inverse(), moving, dtype=np.float64)
    seconds = time.process_time() - started
    exact = inverse_consistency(chain, chain.inverse(), fixed)
    sampled = inverse_consistency(chain, TransformChain((back,)), fixed)
    print(f"\ninverse, point by point: mean {exact.mean_mm:.2g} mm, largest {exact.largest_mm:.2g} mm")
    print(
        f"inverse as a field ({seconds:.1f} CPU-s): mean {sampled.mean_mm:.2g} mm, largest {sampled.largest_mm:.2g} mm"
    )


def made_up(fixed: Geometry, moving: Geometry) -> TransformChain:
    """A field on the fixed grid, then a turn that brings the centres together."""
    noise = np.random.default_rng(0).normal(size=(3, *fixed.shape)).astype(np.float32)
    smooth = np.stack([ndimage.gaussian_filter(component, 12) for component in noise])
    field = DisplacementField.from_vectors(smooth * LARGEST_MM / np.linalg.norm(smooth, axis=0).max(), fixed)
    centres = [(grid.matrix @ [*((np.array(grid.shape) - 1) / 2), 1])[:3] for grid in (fixed, moving)]
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [6, -4, 9], degrees=True).as_matrix() * 1.03
    turn[:3, 3] = centres[1] - turn[:3, :3] @ centres[0]
    return TransformChain((field, AffineTransform.from_matrix(turn)))


def compare(title: str, mode: str, source: Path, reference: Path, transforms: list[Path]) -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "warped.nii"
        read_chain.cache_clear()
        started = time.process_time()
        medarch.warp(source, target, transforms, reference=reference, interpolation=mode)  # type: ignore[arg-type]
        ours_seconds = time.process_time() - started
        ours = read_volume(target).array[0]
    started = time.process_time()
    composite = SimpleITK.CompositeTransform(3)
    for path in reversed(transforms):
        composite.AddTransform(itk_transform(path))
    image = SimpleITK.ReadImage(str(source), SimpleITK.sitkFloat32)
    warped = SimpleITK.Resample(image, SimpleITK.ReadImage(str(reference)), composite, MODES[mode])
    theirs_seconds = time.process_time() - started
    theirs = SimpleITK.GetArrayFromImage(warped).T
    difference = np.abs(ours.astype(np.float64) - theirs)
    told = f"{(difference > 0).sum()} voxels" if mode == "nearest" else f"{difference.max():.2g}"
    of = f"{difference.size} voxels" if mode == "nearest" else f"{np.abs(theirs).max():.4g}"
    print(f"| {title} | {mode} | {told} | {of} | {ours_seconds:.2f} | {theirs_seconds:.2f} |")


def itk_transform(path: Path) -> SimpleITK.Transform:
    """Read a file as an ITK user does."""
    if path.name.endswith(".nii.gz"):
        return SimpleITK.DisplacementFieldTransform(SimpleITK.ReadImage(str(path), SimpleITK.sitkVectorFloat64))
    return SimpleITK.ReadTransform(str(path))


if __name__ == "__main__":
    main()
