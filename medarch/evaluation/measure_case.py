"""Every measure of every class of one case, with a status that explains the number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.evaluation import EmptyPolicy, Measurement, Status
from medarch.core.labels import LabelScheme
from medarch.evaluation.overlap import Overlap, overlap
from medarch.evaluation.surface_distances import surface_distances

Box = tuple[slice, ...]

MEASURES = ("dsc", "nsd", "hd95_mm", "assd_mm", "volume_error_ml", "relative_volume_error")
"""Keys of ``Measurement.values``, in the order of tables."""


def measure_case(
    prediction: np.ndarray,
    reference: np.ndarray,
    *,
    labels: LabelScheme,
    spacing_mm: Sequence[float],
    case: str,
    nsd_tolerance_mm: float,
    empty_policy: EmptyPolicy,
) -> list[Measurement]:
    """Measure two label maps on one grid, one :class:`Measurement` a class or region, in the order of ``labels``.

    ========== ========= ========== === === ================== ============
    status     reference prediction dsc nsd hd95_mm, assd_mm   with nnunet
    ========== ========= ========== === === ================== ============
    ok         some      some       by formula                 the same
    missed     some      none       0   0   image diagonal     None
    spurious   none      some       0   0   image diagonal     None
    empty_both none      none       None    None               None
    ========== ========= ========== === === ================== ============

    The last column is for the distances; DSC and NSD are the same under both policies. ``volume_error_ml`` is always a
    number, ``relative_volume_error`` is None when the reference is empty. Both are prediction minus reference.

    Args:
        prediction: ``(I, J, K)`` values of ``labels``. An image is ``(I, J, 1)``.
        reference: the same shape. Voxels of the ignore label count as background in both.
        labels: classes and regions.
        spacing_mm: voxel edges along I, J, K.
        case: the name in the result.
        nsd_tolerance_mm: how far apart two surfaces may lie and still agree.
        empty_policy: ``medarch`` never leaves a missed or spurious structure out of a mean; ``nnunet`` leaves out what
            its formula does not define.

    Raises:
        EvaluationError: the shapes differ, or a voxel is not a value of ``labels``.
    """
    if prediction.shape != reference.shape:
        raise EvaluationError(
            f"case {case}: prediction and reference have different shapes",
            expected=str(reference.shape),
            found=str(prediction.shape),
            fix="write the prediction on the reference's grid",
        )
    prediction = _label_map(prediction, labels=labels, what=f"case {case}: the prediction")
    reference = _label_map(reference, labels=labels, what=f"case {case}: the reference")
    if labels.ignore_value is not None:
        known = reference != labels.ignore_value
        prediction, reference = prediction * known, reference * known
    boxes = _boxes(prediction, reference, count=len(labels.values))
    diagonal_mm = math.hypot(*(size * edge for size, edge in zip(reference.shape, spacing_mm, strict=True)))
    voxel_ml = math.prod(spacing_mm) / 1000
    rows = []
    for name in labels.foreground_names:
        members = labels.members(name)
        box = _joint_box([boxes[value] for value in members], shape=reference.shape)
        wanted = np.zeros(len(labels.values), dtype=bool)
        wanted[list(members)] = True
        masks = wanted[prediction[box]], wanted[reference[box]]
        counts = overlap(*masks)
        status = _status(counts)
        values: dict[str, float | None] = dict.fromkeys(MEASURES)
        if status == "ok":
            values |= _surface_values(*masks, spacing_mm=spacing_mm, nsd_tolerance_mm=nsd_tolerance_mm)
        elif status != "empty_both":
            values |= worst_values(diagonal_mm, empty_policy=empty_policy)
        values["dsc"] = counts.dsc
        values["volume_error_ml"] = (counts.prediction - counts.reference) * voxel_ml
        values["relative_volume_error"] = counts.relative_volume_error
        volumes = {"reference_ml": counts.reference * voxel_ml, "prediction_ml": counts.prediction * voxel_ml}
        rows.append(Measurement(case=case, label=name, status=status, values=values, **volumes))
    return rows


def worst_values(diagonal_mm: float, *, empty_policy: EmptyPolicy) -> dict[str, float | None]:
    """Return what a structure on one side only, or nowhere, is worth."""
    distance = diagonal_mm if empty_policy == "medarch" else None
    return {"dsc": 0.0, "nsd": 0.0, "hd95_mm": distance, "assd_mm": distance}


def _surface_values(
    prediction: np.ndarray, reference: np.ndarray, *, spacing_mm: Sequence[float], nsd_tolerance_mm: float
) -> dict[str, float | None]:
    surfaces = surface_distances(prediction, reference, spacing_mm=spacing_mm)
    return {
        "nsd": surfaces.nsd(nsd_tolerance_mm),
        "hd95_mm": surfaces.hausdorff_mm(),
        "assd_mm": surfaces.assd_mm(),
    }


def _status(counts: Overlap) -> Status:
    if counts.reference:
        return "ok" if counts.prediction else "missed"
    return "spurious" if counts.prediction else "empty_both"


def _label_map(volume: np.ndarray, *, labels: LabelScheme, what: str) -> np.ndarray:
    highest = labels.values[-1]
    whole = np.rint(volume) if volume.dtype.kind == "f" else volume
    lowest_found, highest_found = (whole.min(), whole.max()) if whole.size else (0, 0)
    if not np.array_equal(whole, volume) or lowest_found < 0 or highest_found > highest:
        raise EvaluationError(
            f"{what} holds values that are not labels",
            expected=f"whole numbers from 0 to {highest} ({', '.join(labels.labels)})",
            found=f"values from {volume.min()} to {volume.max()}",
            fix="evaluate with the labels of the dataset the model was trained on",
        )
    return whole.astype(np.min_scalar_type(highest), copy=False)


def _boxes(prediction: np.ndarray, reference: np.ndarray, *, count: int) -> list[list[Box]]:
    """For each label value, the boxes that hold it in either map; found in one pass, so that each class is cheap."""
    from scipy.ndimage import find_objects

    found = [find_objects(volume, max_label=count) for volume in (prediction, reference)]
    return [[], *([box for box in pair if box is not None] for pair in zip(*found, strict=True))]


def _joint_box(boxes: Sequence[Sequence[Box]], *, shape: tuple[int, ...]) -> Box:
    """Return the box around all boxes, an empty one when there are none.

    It has a margin of one voxel inside the image, so that what lies in one slice of a volume still is a crop of 3D.
    """
    together = [box for pair in boxes for box in pair]
    if not together:
        return (slice(0, 0),) * len(shape)
    return tuple(
        slice(max(min(part.start for part in parts) - 1, 0), min(max(part.stop for part in parts) + 1, size))
        for parts, size in zip(zip(*together, strict=True), shape, strict=True)
    )
