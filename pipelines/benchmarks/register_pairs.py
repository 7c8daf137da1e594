"""Registration of the fixed test pairs: medarch beside SimpleITK and ANTs, same pairs, same measures, one thread.

    python pipelines/benchmarks/register_pairs.py hippocampus --ants /work/envs/ants/bin/python
    python pipelines/benchmarks/register_pairs.py brain --methods identity medarch demons --pairs 5
    python pipelines/benchmarks/register_pairs.py hippocampus --tuning        # pairs for choosing settings

Every pair is on the fixed image's grid (registration_pairs.py). DSC and HD95 are means over labels, warped with the
nearest voxel; folds and the SD of the log-Jacobian are of the deformable part; CPU seconds are of the registration
alone, without reading, warping labels and measuring. Results are kept by pair: the same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk  # noqa: N813
from registration_pairs import PairData, PairSet, pair_set

from medarch.core.errors import EvaluationError
from medarch.core.spatial_transform import DisplacementField, TransformChain
from medarch.evaluation.overlap import overlap
from medarch.evaluation.registration.jacobian_determinant import jacobian_determinant
from medarch.evaluation.registration.smoothness import smoothness
from medarch.evaluation.surface_distances import surface_distances
from medarch.io.transforms.read_transform import read_transform
from medarch.io.write_volume import write_volume
from medarch.preprocessing.transforms.warp_volume import warp_volume

Found = tuple[TransformChain, float]
"""Fixed → moving, and the CPU seconds that it took."""
Method = Callable[[PairData, "argparse.Namespace"], Found]
DEMONS = {"hippocampus": ((2, 60), (1, 60)), "brain": ((4, 60), (2, 40), (1, 20))}
"""Shrink factors and iterations, as in the measured reference."""
PEER = Path(__file__).parent / "peer_ants_register.py"


def main() -> None:
    options = parse_arguments()
    found = pair_set(options.dataset)
    pairs = (found.tuning_pairs if options.tuning else found.test_pairs + found.further_pairs)[: options.pairs]
    rows: dict[str, list[dict[str, float]]] = {}
    for name in options.methods:
        if name.startswith("ants") and options.ants is None:
            print(f"{name}: left out, no --ants")
            continue
        limit = options.slow_pairs if name == "ants_syn_cc" else len(pairs)
        rows[name] = [measured(name, pair, found, options) for pair in pairs[:limit]]
        print_row(name, rows[name])
    print_table(options, rows)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["hippocampus", "brain"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS)[:-2], choices=list(METHODS))
    parser.add_argument("--pairs", type=int, default=20, help="so many of them; 100: further pairs, too")
    parser.add_argument("--slow-pairs", type=int, default=20, help="of them, for SyN with cross-correlation")
    parser.add_argument("--tuning", action="store_true", help="the pairs of training cases instead")
    parser.add_argument("--ants", type=Path, help="python of an environment with antspyx")
    parser.add_argument("--fields", type=Path, help="folder of FIXED_MOVING.h5, for the methods start and refined")
    parser.add_argument("--output", type=Path, default=Path("workspace/registration"))
    return parser.parse_args()


def measured(name: str, pair: tuple[str, str], found: PairSet, options: argparse.Namespace) -> dict[str, float]:
    """The measures of one pair, from its file if it has been registered before."""
    file = options.output / options.dataset / name / f"{pair[0]}_{pair[1]}.json"
    if not file.exists():
        data = found.load(pair)
        options.pair = pair
        chain, seconds = METHODS[name](data, options)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**measure(data, chain, found.labels), "seconds": seconds}))
    values: dict[str, float] = json.loads(file.read_text())
    return values


def measure(data: PairData, chain: TransformChain, labels: tuple[int, ...]) -> dict[str, float]:
    grid = data.geometry
    moving = data.moving_labels[np.newaxis]
    warped = warp_volume(moving, grid, grid, chain, interpolation="nearest").array[0] if chain.parts else moving[0]
    dsc, hd95 = [], []
    for label in labels:
        masks = warped == label, data.fixed_labels == label
        dsc.append(overlap(*masks).dsc or 0.0)
        try:
            hd95.append(surface_distances(*masks, spacing_mm=grid.spacing_mm).hausdorff_mm())
        except EvaluationError:
            hd95.append(float(np.linalg.norm(np.multiply(grid.shape, grid.spacing_mm))))
    values = {"dsc": float(np.mean(dsc)), "hd95_mm": float(np.mean(hd95)), "folding_share": 0.0, "sd_log_jacobian": 0.0}
    for part in chain.parts:
        if isinstance(part, DisplacementField):
            found = smoothness(jacobian_determinant(part))
            values |= {"folding_share": found.folding_share, "sd_log_jacobian": found.sd_log_jacobian or 0.0}
    return values


def identity(data: PairData, options: argparse.Namespace) -> Found:
    return TransformChain(()), 0.0


def medarch_affine(data: PairData, options: argparse.Namespace) -> Found:
    return _medarch(data, deformable=False)


def medarch_default(data: PairData, options: argparse.Namespace) -> Found:
    return _medarch(data)


def start(data: PairData, options: argparse.Namespace) -> Found:
    """What a trained network found, read from --fields; its time is in the file beside it."""
    chain = read_transform(options.fields / f"{'_'.join(options.pair)}.h5")
    return chain, _seconds_of_start(options)


def refined(data: PairData, options: argparse.Namespace) -> Found:
    """That, optimised for the pair."""
    from medarch.preprocessing.transforms.compose_field import compose_field

    chain, seconds = start(data, options)
    field = compose_field(chain, data.geometry).voxels()
    found, more = _medarch(data, field, linear="none", iterations=(0, 20, 20))
    return found, seconds + more


def _seconds_of_start(options: argparse.Namespace) -> float:
    file = options.fields / f"{'_'.join(options.pair)}.json"
    return float(json.loads(file.read_text())["seconds"]) if file.exists() else 0.0


def _medarch(data: PairData, start: np.ndarray | None = None, **settings: Any) -> Found:
    from medarch.inference.registration.pair_image import PairImage
    from medarch.inference.registration.register_pair import register_pair
    from medarch.inference.registration.settings import RegistrationSettings

    images = [PairImage(array[np.newaxis], data.geometry) for array in (data.fixed, data.moving)]
    began = time.process_time()
    found = register_pair(*images, RegistrationSettings(**settings), start=start)
    return found.chain, time.process_time() - began


def sitk_affine(data: PairData, options: argparse.Namespace) -> Found:
    fixed, moving = images_of(data)
    began = time.process_time()
    transform = _affine(fixed, moving)
    seconds = time.process_time() - began
    return _chain(transform), seconds


def sitk_demons(data: PairData, options: argparse.Namespace) -> Found:
    fixed, moving = images_of(data)
    began = time.process_time()
    affine = _affine(fixed, moving)
    moved = sitk.Resample(moving, fixed, affine, sitk.sitkLinear, 0.0)
    moved = sitk.HistogramMatching(moved, fixed, 1024, 7, True)
    field = None
    for shrink, iterations in DEMONS[options.dataset]:
        levels = [sitk.SmoothingRecursiveGaussian(image, 0.5 * shrink) for image in (fixed, moved)]
        levels = [sitk.Shrink(image, [shrink] * 3) if shrink > 1 else image for image in levels]
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetStandardDeviations(1.0)
        if field is None:
            field = demons.Execute(*levels)
        else:
            field = demons.Execute(*levels, sitk.Resample(field, levels[0], sitk.Transform(), sitk.sitkLinear))
    seconds = time.process_time() - began
    deformation = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    # ITK's composite applies the last first: the field, then the affine.
    both = sitk.CompositeTransform([affine, deformation])
    both.FlattenTransform()
    return _chain(both), seconds


def _affine(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """Correlation, two levels, regular steps."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    first = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method.SetInitialTransform(first, inPlace=False)
    method.SetOptimizerAsRegularStepGradientDescent(0.5, 1e-3, 100, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1.0, 0.0])
    return method.Execute(fixed, moving)


def images_of(data: PairData) -> tuple[sitk.Image, sitk.Image]:
    """Both images in SimpleITK, on their grid."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for array in (data.fixed, data.moving):
            file = Path(folder) / "image.nii.gz"
            write_volume(file, array, data.geometry)
            found.append(sitk.ReadImage(str(file), sitk.sitkFloat32))
    return found[0], found[1]


def _chain(transform: sitk.Transform) -> TransformChain:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "transform.h5"
        sitk.WriteTransform(transform, str(file))
        return read_transform(file)


def ants_syn(data: PairData, options: argparse.Namespace) -> Found:
    return _ants(data, options, "SyN")


def ants_syn_cc(data: PairData, options: argparse.Namespace) -> Found:
    return _ants(data, options, "SyNCC")


def _ants(data: PairData, options: argparse.Namespace, kind: str) -> Found:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for image, array in (("fixed", data.fixed), ("moving", data.moving)):
            write_volume(folder / f"{image}.nii.gz", array, data.geometry)
        command = [str(options.ants), str(PEER), str(folder), kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD)
        answer = json.loads(done.stdout.splitlines()[-1])
        parts = [part for file in answer["transforms"] for part in read_transform(Path(file)).parts]
    return TransformChain(tuple(parts)), float(answer["seconds"])


ONE_THREAD = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "OMP_NUM_THREADS": "1"}
METHODS: dict[str, Method] = {
    "identity": identity,
    "medarch_affine": medarch_affine,
    "medarch": medarch_default,
    "sitk_affine": sitk_affine,
    "sitk_demons": sitk_demons,
    "ants_syn": ants_syn,
    "ants_syn_cc": ants_syn_cc,
    "start": start,
    "refined": refined,
}


def print_row(name: str, rows: list[dict[str, float]]) -> None:
    print(table_row(name, rows), flush=True)


def print_table(options: argparse.Namespace, rows: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n{options.dataset}\n")
    print("| method | pairs | DSC | HD95 mm | folds % | SD log J | CPU-s |\n|---|---|---|---|---|---|---|")
    for name, found in rows.items():
        print(table_row(name, found))


def table_row(name: str, rows: list[dict[str, float]]) -> str:
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    spread = float(np.std([row["dsc"] for row in rows]))
    return (
        f"| {name} | {len(rows)} | {mean['dsc']:.4f}±{spread:.4f} | {mean['hd95_mm']:.2f} | "
        f"{100 * mean['folding_share']:.4f} | {mean['sd_log_jacobian']:.3f} | {mean['seconds']:.2f} |"
    )


if __name__ == "__main__":
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    main()
