"""Do window and smoothness depend on how far a field has to reach? Results: docs/registration.md.

    python pipelines/benchmarks/registration_range.py OUT hippocampus
    python pipelines/benchmarks/registration_range.py OUT hippocampus --reach far --windows 3 5   # or near
    python pipelines/benchmarks/registration_range.py OUT brain --pairs 8

The optimiser of pairs on training pairs (never on test pairs), every window with every smoothness, in conditions that
need displacements of different sizes in voxels: after the affine step, without it, and as the files place the images
(corner on corner, as these crops have no place of their own), at the images' resolution and at half of it. The range
of a pair is what the planner measures: of each label the largest distance between the faces of its boxes in both
images, after the linear step, of these the 95th percentile. Labels are compared on the whole grid in each condition.
With --reach, other training pairs are taken, corner on corner, which need a short or a long way. Results are kept by
pair: the same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from registration_pairs import SEED, Pair, PairData, PairSet, ordered_pairs, pair_set
from scipy import ndimage

from medarch.core.spatial_transform import AffineTransform, DisplacementField, SpatialTransform, TransformChain
from medarch.evaluation.bootstrap import bootstrap
from medarch.evaluation.overlap import overlap
from medarch.inference.registration.align_pair import AlignedPair, align_pair
from medarch.inference.registration.optimise_velocity import optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.settings import Linear, RegistrationSettings
from medarch.io.read_volume import read_volume
from medarch.preprocessing.transforms.warp_volume import warp_volume

WINDOWS = (3, 5, 7)
SMOOTHNESS = (0.05, 0.1, 0.3, 0.6)
DEFAULT = (RegistrationSettings.window, RegistrationSettings.smoothness)
PERCENTILE = 95
DRAWN = 400
"""Pairs of training cases among which near and far ones are looked for."""
REACH = {"near": (0.0, 3.0), "far": (8.0, np.inf)}
"""In voxels."""
Setting = tuple[int, float]


@dataclass(frozen=True)
class Condition:
    """What changes how far a field has to reach."""

    start: Literal["affine", "centres", "files"]
    coarser: int
    """Times the images' voxel edge."""

    @property
    def linear(self) -> Linear:
        """The linear step."""
        return "affine" if self.start == "affine" else "none"

    def __str__(self) -> str:
        starts = {
            "affine": "after the affine step", "centres": "centres on each other", "files": "as the files place them",
        }  # fmt: skip
        return f"{starts[self.start]}, voxels {self.coarser} times as large"


CONDITIONS = {
    "hippocampus": [Condition(start, coarser) for start in ("affine", "centres", "files") for coarser in (1, 2)],
    "brain": [Condition("centres", 2), Condition("centres", 1)],  # the data are aligned by affine transforms
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("dataset", choices=list(CONDITIONS))
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--windows", type=int, nargs="+", default=list(WINDOWS))
    parser.add_argument("--reach", choices=list(REACH))
    chosen = parser.parse_args()
    pairs = pair_set(chosen.dataset)
    torch.set_num_threads(1)
    settings = list(product(chosen.windows, SMOOTHNESS))
    conditions, taken, name = CONDITIONS[chosen.dataset], pairs.tuning_pairs[: chosen.pairs], chosen.dataset
    if chosen.reach:
        conditions, name = [Condition("files", 1)], f"{name}_{chosen.reach}"
        taken = tuple(islice(reaching(pairs, *REACH[chosen.reach]), chosen.pairs))
    for condition in conditions:
        folder = chosen.out / name / f"{condition.start}_{condition.coarser}"
        folder.mkdir(parents=True, exist_ok=True)
        found = [kept(folder, pairs, pair, condition, settings) for pair in taken]
        report(f"{name}, {condition}", settings, [reach for reach, _ in found], [dsc for _, dsc in found])


def reaching(pairs: PairSet, least: float, most: float) -> Iterator[Pair]:
    """Training pairs whose range lies between."""
    for pair in random.Random(SEED).sample(ordered_pairs(pairs.train), DRAWN):
        fixed, moving = (read_volume(pairs.label_map(case)).array[0] for case in pair)
        if least <= box_distance(fixed, at_corner(moving, fixed.shape), pairs.labels) <= most:
            yield pair


def kept(
    folder: Path, pairs: PairSet, pair: Pair, condition: Condition, settings: list[Setting]
) -> tuple[float, dict[Setting, float]]:
    """The pair's range in voxels, and its DSC by setting."""
    file = folder / f"{pair[0]}_{pair[1]}.json"
    if not file.exists():
        data = pairs.load(pair) if condition.start != "files" else as_placed(pairs, pair)
        reach, scores = measured(data, condition, pairs.labels, settings)
        file.write_text(json.dumps({"reach": reach, "dsc": [[*setting, dsc] for setting, dsc in scores]}))
    read = json.loads(file.read_text())
    return read["reach"], {(window, smoothness): dsc for window, smoothness, dsc in read["dsc"]}


def as_placed(pairs: PairSet, pair: Pair) -> PairData:
    """Both images with their first voxel in one place."""
    data = pairs.load(pair)
    moving, labels = (read_volume(path(pair[1])).array[0] for path in (pairs.image, pairs.label_map))
    shape = data.fixed.shape
    return replace(data, moving=at_corner(moving, shape).astype(np.float32), moving_labels=at_corner(labels, shape))


def at_corner(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pad with zeros or crop at the far ends."""
    out = np.zeros(shape, array.dtype)
    both = tuple(slice(0, min(have, want)) for have, want in zip(array.shape, shape, strict=True))
    out[both] = array[both]
    return out


def measured(
    data: PairData, condition: Condition, labels: tuple[int, ...], sweep: list[Setting]
) -> tuple[float, list[tuple[Setting, float]]]:
    images = [PairImage(array[np.newaxis], data.geometry) for array in (data.fixed, data.moving)]
    voxels = data.fixed.size // condition.coarser**3
    settings = RegistrationSettings(linear=condition.linear, voxels=voxels)
    aligned = align_pair(*images, settings, start=None, device=torch.device("cpu"))
    start = moved_labels(data, linear_part(aligned, data))
    reach = box_distance(data.fixed_labels, start, labels) / condition.coarser
    return reach, list(swept(data, aligned, labels, sweep))


def swept(
    data: PairData, aligned: AlignedPair, labels: tuple[int, ...], sweep: list[Setting]
) -> Iterator[tuple[Setting, float]]:
    for window, smoothness in sweep:
        settings = replace(aligned.settings, window=window, smoothness=smoothness)
        found = optimise_velocity(aligned.fixed, aligned.moving, aligned.world, settings)
        field = DisplacementField.from_voxels(found.displacement[0].numpy(), data.geometry)
        moved = moved_labels(data, (field, *linear_part(aligned, data)))
        scores = [overlap(moved == label, data.fixed_labels == label).dsc or 0.0 for label in labels]
        yield (window, smoothness), float(np.mean(scores))


def linear_part(aligned: AlignedPair, data: PairData) -> tuple[SpatialTransform, ...]:
    if aligned.settings.linear == "none":
        return ()
    index = torch.linalg.solve(aligned.moving.matrix, aligned.world @ aligned.fixed.matrix)
    return (AffineTransform.from_voxels(index.numpy(), data.geometry, data.geometry),)


def moved_labels(data: PairData, parts: tuple[SpatialTransform, ...]) -> np.ndarray:
    if not parts:
        return data.moving_labels
    grid, moving = data.geometry, data.moving_labels[np.newaxis]
    return warp_volume(moving, grid, grid, TransformChain(parts), interpolation="nearest").array[0]


def box_distance(fixed: np.ndarray, moved: np.ndarray, labels: tuple[int, ...]) -> float:
    """In voxels of the images, which are cubes here."""
    boxes = [ndimage.find_objects(each.astype(np.int32), max_label=max(labels)) for each in (fixed, moved)]
    both = [(first, second) for first, second in zip(*boxes, strict=True) if first and second]
    found = [
        max(max(abs(a.start - b.start), abs(a.stop - b.stop)) for a, b in zip(first, second, strict=True))
        for first, second in both
    ]
    return float(np.percentile(found, PERCENTILE))


def report(title: str, settings: list[Setting], reach: list[float], scores: list[dict[Setting, float]]) -> None:
    """The table of one condition, and the best settings of its nearer and its further half."""
    table = np.array([[row[setting] for setting in settings] for row in scores])
    print(f"\n{title}: {len(reach)} pairs, range {np.mean(reach):.1f} voxels ({min(reach):.1f} to {max(reach):.1f})\n")
    print(f"| window | {' | '.join(f'smoothness {value:g}' for value in SMOOTHNESS)} |")
    print("|---" * (len(SMOOTHNESS) + 1) + "|")
    for row, window in enumerate(dict.fromkeys(window for window, _ in settings)):
        means = table[:, row * len(SMOOTHNESS) : (row + 1) * len(SMOOTHNESS)].mean(0)
        print(f"| {window} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    order = np.argsort(reach)
    halves = {"all": order, "near half": order[: len(order) // 2], "far half": order[len(order) // 2 :]}
    for name, chosen in halves.items():
        means = table[chosen].mean(0)
        best = int(means.argmax())
        gain = bootstrap(table[chosen, best] - table[chosen, settings.index(DEFAULT)])
        window, smoothness = settings[best]
        print(
            f"{name} ({np.mean(np.array(reach)[chosen]):.1f} voxels): best window {window}, smoothness {smoothness:g}, "
            f"{means[best]:.3f}; over the default {DEFAULT}: {gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f})"
            if gain.low is not None and gain.high is not None and gain.mean is not None
            else f"{name}: one pair"
        )


if __name__ == "__main__":
    main()
