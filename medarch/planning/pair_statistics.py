"""How far apart the images of a registration lie before it."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from medarch.core.dataset import Dataset
from medarch.core.errors import DatasetError
from medarch.core.fingerprint import LandmarkStatistics, PairStatistics
from medarch.core.geometry import Geometry
from medarch.core.landmarks import Landmarks
from medarch.core.pairing import Pairing
from medarch.io.read_case import read_case
from medarch.io.read_geometry import read_geometry
from medarch.io.transforms.read_landmarks import read_landmarks

MEASURED = 16
"""Pairs that are looked at."""
KEPT = 8
"""Cases held in memory."""
PERCENTILE = 95
CORNER = 0.5


def pair_statistics(dataset: Dataset) -> PairStatistics:
    """Measure overlap and distance of a spread of a dataset's pairs, laid on each other in both ways.

    Args:
        dataset: of a registration.

    Raises:
        MedarchError: a case or its landmarks cannot be read.
    """
    pairs = Pairing(dataset, [case.id for case in dataset.cases]).spread(MEASURED)
    labelled = bool(dataset.labels.foreground_values) and all(
        dataset.case(case).label is not None for pair in pairs for case in (pair.fixed, pair.moving)
    )

    @lru_cache(maxsize=KEPT)
    def structures(case: str) -> tuple[np.ndarray, Geometry]:
        volumes = read_case(
            dataset.case(case), channels=len(dataset.channels), labels=dataset.labels, waived=dataset.waived
        )
        if labelled and volumes.label is not None:
            return volumes.label, volumes.geometry
        first = volumes.images[0]
        return (first > first.mean()).astype(np.uint8), volumes.geometry

    overlaps: dict[str, list[float]] = {"world": [], "centres": []}
    ranges: dict[str, list[float]] = {"world": [], "centres": []}
    one_grid = True
    for pair in pairs:
        (fixed, grid), (moving, other) = structures(pair.fixed), structures(pair.moving)
        one_grid = one_grid and not grid.differences(other)
        for name, shift in (("world", np.zeros(3)), ("centres", _centre_mm(other) - _centre_mm(grid))):
            overlaps[name].append(_overlap(fixed, grid, moving, other, shift))
            ranges[name] += _distances_mm(fixed, grid, moving, other, shift)
    return PairStatistics(
        pairs=len(pairs),
        of="labels" if labelled else "brightness",
        one_grid=one_grid,
        overlap_world=float(np.mean(overlaps["world"])),
        overlap_centres=float(np.mean(overlaps["centres"])),
        range_world_mm=_upper(ranges["world"]),
        range_centres_mm=_upper(ranges["centres"]),
        landmarks=_landmarks(dataset),
    )


def _landmarks(dataset: Dataset) -> LandmarkStatistics | None:
    marked = [case.id for case in dataset.cases if case.landmarks is not None]
    try:
        pairs = Pairing(dataset, marked).spread(MEASURED)
    except DatasetError:  # no two of them are a pair
        return None

    @cache
    def known(case: str) -> tuple[Landmarks, Geometry]:
        entry = dataset.case(case)
        grid = read_geometry(entry.images[0])[0]
        found = Landmarks(names=(), points_mm=())
        return (found if entry.landmarks is None else read_landmarks(entry.landmarks, grid=grid)), grid

    apart: dict[str, list[float]] = {"world": [], "centres": []}
    measured = 0
    for pair in pairs:
        (fixed, grid), (moving, other) = known(pair.fixed), known(pair.moving)
        names = [name for name in fixed.names if name in moving.names]
        if not names:
            continue
        measured += 1
        for name, shift in (("world", np.zeros(3)), ("centres", _centre_mm(other) - _centre_mm(grid))):
            apart[name] += np.linalg.norm(moving.at(names) - shift - fixed.at(names), axis=1).tolist()
    if not measured:
        return None
    return LandmarkStatistics(
        pairs=measured,
        distance_world_mm=float(np.mean(apart["world"])),
        distance_centres_mm=float(np.mean(apart["centres"])),
        range_world_mm=_upper(apart["world"]),
        range_centres_mm=_upper(apart["centres"]),
    )


def _upper(distances: list[float]) -> float:
    return float(np.percentile(distances, PERCENTILE)) if distances else 0.0


def _centre_mm(geometry: Geometry) -> np.ndarray:
    middle = [(side - 1) / 2 for side in geometry.shape]
    centre: np.ndarray = (geometry.matrix @ [*middle, 1.0])[:3]
    return centre


def _overlap(fixed: np.ndarray, grid: Geometry, moving: np.ndarray, other: Geometry, shift: np.ndarray) -> float:
    """Mean Dice over the values that either map has."""
    from scipy import ndimage

    move = np.eye(4)
    move[:3, 3] = shift
    matrix = np.linalg.solve(other.matrix, move @ grid.matrix)
    moved = ndimage.affine_transform(moving, matrix, output_shape=fixed.shape, order=0)
    values = sorted({*np.unique(fixed).tolist(), *np.unique(moving).tolist()} - {0})
    scores = []
    for value in values:
        first, second = fixed == value, moved == value
        total = int(first.sum()) + int(second.sum())
        scores.append(2 * int((first & second).sum()) / total if total else 0.0)
    return float(np.mean(scores)) if scores else 0.0


def _distances_mm(
    fixed: np.ndarray, grid: Geometry, moving: np.ndarray, other: Geometry, shift: np.ndarray
) -> list[float]:
    """Of each value in both maps, the largest distance between faces of its boxes along x, y and z."""
    first, second = _boxes_mm(fixed, grid), _boxes_mm(moving, other)
    common = first.keys() & second.keys()
    return [float(np.abs(second[value] - shift - first[value]).max()) for value in sorted(common)]


def _boxes_mm(labels: np.ndarray, geometry: Geometry) -> dict[int, np.ndarray]:
    """``(2, 3)`` least and largest RAS millimetres of each value's box."""
    from scipy import ndimage

    found = {}
    for value, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if box is None:
            continue
        ends = np.array([(side.start - CORNER, side.stop - CORNER) for side in box])
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
        world = corners @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]
        found[value] = np.stack([world.min(0), world.max(0)])
    return found
