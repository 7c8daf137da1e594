"""Every measure of one registered pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import EvaluationError, GeometryError, MedarchError
from medarch.core.evaluation import Measurement
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.registration_evaluation import PAIR_MEASURES, PairMeasures
from medarch.core.spatial_transform import IDENTITY, TransformChain
from medarch.evaluation.measure_case import MEASURES, measure_case, worst_values
from medarch.evaluation.registration.inverse_consistency import inverse_consistency
from medarch.evaluation.registration.jacobian_determinant import jacobian_determinant
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.evaluation.registration.smoothness import smoothness
from medarch.evaluation.registration.target_registration_error import target_registration_error
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import Volume, read_volume
from medarch.io.transforms.read_landmarks import read_landmarks
from medarch.io.transforms.read_transform import read_transform
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.warp_volume import warp_volume

Labels = Mapping[str, int | tuple[int, ...]]
"""Names and the values that label maps hold for them; other values are background."""


@dataclass(frozen=True)
class MeasuredPair:
    """What was found."""

    measures: PairMeasures
    rows: list[Measurement]
    before: list[Measurement]


def measure_registration(pair: RegisteredPair, *, labels: Labels, nsd_tolerance_mm: float = 1.0) -> MeasuredPair:
    """Measure a pair by whatever it has: labels, landmarks, the transform itself.

    A pair without a usable transform counts as the worst: DSC and NSD 0, surface distances the diagonal of the fixed
    image, as an unreadable prediction does in other tasks; its landmarks are as far apart as before.

    Raises:
        MedarchError: not the transform but what it is judged by cannot be read.
    """
    chain, inverse, reason = IDENTITY, None, pair.error
    try:
        if not pair.transform and not reason:
            raise EvaluationError("no transform", expected=f"one of pair {pair.name}")
        chain = _read(pair.transform)
        inverse = _read(pair.inverse) if pair.inverse else None
    except MedarchError as error:
        reason = str(error)
    values: dict[str, float | None] = dict.fromkeys(PAIR_MEASURES)
    values["seconds"] = pair.seconds
    rows: list[Measurement] = []
    before: list[Measurement] = []
    if labels and pair.fixed_label is not None and pair.moving_label is not None:
        maps = _LabelMaps.read(pair.fixed_label, pair.moving_label, labels)
        before = maps.compare(pair.name, pair.before, nsd_tolerance_mm)
        rows = maps.worst(before, reason) if reason else maps.compare(pair.name, chain, nsd_tolerance_mm)
    if pair.fixed_landmarks is not None and pair.moving_landmarks is not None:
        fixed, moving = (
            read_landmarks(path, grid=read_geometry(image)[0])
            for path, image in (
                (pair.fixed_landmarks, pair.fixed_image),
                (pair.moving_landmarks, pair.moving_image),
            )
        )
        start = target_registration_error(fixed, moving, pair.before).errors_mm
        end = start if reason else target_registration_error(fixed, moving, chain).errors_mm
        values |= {"tre_before_mm": start.mean(), "tre_mm": end.mean(), "tre_max_mm": end.max()}
    if not reason:
        values |= _behaviour(pair.fixed_image, chain, inverse)
    measures = PairMeasures(
        pair=pair.name,
        fixed=pair.fixed,
        moving=pair.moving,
        status="failed" if reason else "ok",
        reason=reason,
        values={name: None if value is None else float(value) for name, value in values.items()},
    )
    return MeasuredPair(measures, rows, before)


def _read(paths: Sequence[Path]) -> TransformChain:
    return TransformChain(tuple(part for path in paths for part in read_transform(path).parts))


def _behaviour(fixed_image: Path, chain: TransformChain, inverse: TransformChain | None) -> dict[str, float | None]:
    grid, _ = read_geometry(fixed_image)
    found: dict[str, float | None] = smoothness(jacobian_determinant(compose_field(chain, grid)))._asdict()
    if inverse is not None:
        found["inverse_consistency_mm"] = inverse_consistency(chain, inverse, grid).mean_mm
    return found


@dataclass(frozen=True)
class _LabelMaps:
    """Both label maps ``(I, J, K)`` with values 1, 2, ..., and what these are called."""

    scheme: LabelScheme
    fixed: np.ndarray
    moving: np.ndarray
    grid: Geometry
    moving_grid: Geometry

    @classmethod
    def read(cls, fixed_path: Path, moving_path: Path, labels: Labels) -> _LabelMaps:
        scheme, values = _consecutive(labels)
        fixed, moving = read_volume(fixed_path), read_volume(moving_path)
        return cls(scheme, _renumber(fixed, values), _renumber(moving, values), fixed.geometry, moving.geometry)

    def compare(self, pair: str, chain: TransformChain, nsd_tolerance_mm: float) -> list[Measurement]:
        """The moving labels, warped, against the fixed ones."""
        try:
            moving = self.moving[np.newaxis]
            warped = warp_volume(moving, self.moving_grid, self.grid, chain, interpolation="nearest").array[0]
        except GeometryError:  # nothing of the moving image comes to lie on the fixed one
            warped = np.zeros_like(self.fixed)
        return measure_case(
            warped,
            self.fixed,
            labels=self.scheme,
            spacing_mm=self.grid.spacing_mm,
            case=pair,
            nsd_tolerance_mm=nsd_tolerance_mm,
            empty_policy="medarch",
        )

    def worst(self, rows: Sequence[Measurement], reason: str) -> list[Measurement]:
        """What a failed registration is worth."""
        diagonal_mm = math.hypot(*np.multiply(self.grid.shape, self.grid.spacing_mm))
        values: dict[str, float | None] = dict.fromkeys(MEASURES)
        values |= worst_values(diagonal_mm, empty_policy="medarch")
        return [row.model_copy(update={"status": "failed", "values": values, "reason": reason}) for row in rows]


def _consecutive(labels: Labels) -> tuple[LabelScheme, np.ndarray]:
    """The labels with values 1, 2, ... and the values that these stand for."""
    members = {name: (value,) if isinstance(value, int) else tuple(value) for name, value in labels.items()}
    values = np.array(sorted({value for each in members.values() for value in each}))
    number = {int(value): place for place, value in enumerate(values, start=1)}
    scheme: dict[str, int | tuple[int, ...]] = {"background": 0}
    for name, each in members.items():
        numbers = tuple(number[value] for value in each)
        scheme[name] = numbers[0] if len(numbers) == 1 else numbers
    overlapping = any(len(each) > 1 for each in members.values())
    order = tuple(range(1, len(members) + 1)) if overlapping else None
    return LabelScheme(labels=scheme, regions_class_order=order), values


def _renumber(volume: Volume, values: np.ndarray) -> np.ndarray:
    """``(I, J, K)`` with 1, 2, ... for ``values`` and 0 for others."""
    if len(volume.array) != 1:
        raise EvaluationError(
            f"{volume.path} is not a label map", expected="one channel", found=f"{len(volume.array)} channels"
        )
    array = volume.array[0]
    place = np.clip(np.searchsorted(values, array), 0, len(values) - 1)
    return np.where(values[place] == array, place + 1, 0).astype(np.uint16)
