"""What is wrong with one case whose files could be read. ``medarch check`` lists it, ``read_case`` refuses it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case
from medarch.core.labels import LabelScheme
from medarch.io.read_volume import Volume

_LISTED = 8


def case_findings(
    case: Case, images: Sequence[Volume], label: Volume | None, *, channels: int, labels: LabelScheme | None
) -> list[Finding]:
    """Compare the files of a case with each other and with the dataset.

    Args:
        case: its ids and paths.
        images: its image files, or those of them that could be read.
        label: its label map, if it has one that could be read.
        channels: how many the dataset has.
        labels: the values a label map may hold; None to allow any whole numbers.
    """
    findings: list[Finding] = []
    for volume in (*images, *([label] if label else [])):
        findings += _doubts(case.id, volume)
    if len(images) == len(case.images):
        findings += _channels(case.id, images, channels)
    for other in (*images[1:], *([label] if label and images else [])):
        findings += _grids(case.id, images[0], other)
    for volume in images:
        findings += _intensities(case.id, volume)
    if label:
        findings += _label_values(case.id, label, labels)
    return findings


def _doubts(case: str, volume: Volume) -> list[Finding]:
    findings = [
        make_finding(doubt.code, case=case, file=volume.path, expected=doubt.expected, found=doubt.found)
        for doubt in volume.doubts
    ]
    if not volume.geometry.is_orthogonal:
        findings.append(
            make_finding("SHEARED_AFFINE", case=case, file=volume.path, expected="right angles", found=_angles(volume))
        )
    return findings


def _angles(volume: Volume) -> str:
    axes = volume.geometry.matrix[:3, :3] / volume.geometry.spacing_mm
    degrees = [np.degrees(np.arccos(axes[:, a] @ axes[:, b])) for a, b in ((0, 1), (0, 2), (1, 2))]
    return "angles " + ", ".join(f"{angle:.2f}°" for angle in degrees)


def _channels(case: str, images: Sequence[Volume], channels: int) -> list[Finding]:
    held = sum(len(volume.array) for volume in images)
    if held == channels:
        return []
    found = f"{held} in {len(images)} file(s)"
    file = images[0].path if images else None
    return [make_finding("WRONG_CHANNELS", case=case, file=file, expected=f"{channels} channel(s)", found=found)]


def _grids(case: str, reference: Volume, other: Volume) -> list[Finding]:
    differences = reference.geometry.differences(other.geometry)
    if not differences:
        return []
    codes = {}
    if reference.geometry.shape != other.geometry.shape:
        codes["SHAPE_MISMATCH"] = (str(reference.geometry.shape), str(other.geometry.shape))
    if reference.geometry.axcodes != other.geometry.axcodes:
        codes["ORIENTATION_MISMATCH"] = (reference.geometry.axcodes, other.geometry.axcodes)
    if not codes:
        codes["GEOMETRY_MISMATCH"] = (f"the grid of {reference.path.name}", "; ".join(differences))
    return [
        make_finding(code, case=case, file=other.path, expected=expected, found=found)
        for code, (expected, found) in codes.items()
    ]


def _intensities(case: str, volume: Volume) -> list[Finding]:
    findings = []
    for index, channel in enumerate(volume.array):
        where = f"channel {index}: " if len(volume.array) > 1 else ""
        low, high = channel.min(), channel.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            nan = int(np.isnan(channel).sum())
            infinite = int(np.isinf(channel).sum())
            found = f"{where}{nan} NaN and {infinite} infinite of {channel.size} voxels"
            findings.append(make_finding("NOT_FINITE", case=case, file=volume.path, expected="numbers", found=found))
        elif low == high:
            code = "ALL_ZERO" if low == 0 else "CONSTANT_IMAGE"
            found = f"{where}{low:g} everywhere"
            findings.append(make_finding(code, case=case, file=volume.path, expected="varying values", found=found))
    return findings


def _label_values(case: str, label: Volume, labels: LabelScheme | None) -> list[Finding]:
    def found_one(code: str, expected: str, found: str) -> list[Finding]:
        return [make_finding(code, case=case, file=label.path, expected=expected, found=found)]

    if len(label.array) != 1:
        return found_one("WRONG_CHANNELS", "a label map of 1 channel", f"{len(label.array)} channels")
    values = label.array[0]
    if values.dtype.kind == "f":
        odd = values[values != np.rint(values)]  # NaN differs from itself, so it is odd, too
        if odd.size or not np.isfinite(values).all():
            examples = ", ".join(f"{value:g}" for value in np.unique(odd)[:_LISTED])
            return found_one("LABEL_NOT_INTEGER", "whole numbers", f"{examples} in {odd.size} voxels")
    low, high = values.min(), values.max()
    if low == high == 0:
        return found_one("LABEL_EMPTY", "foreground", "background only")
    # Declared values run from 0 without a gap, so the extremes decide.
    if labels and (low < 0 or high > labels.values[-1]):
        unknown = [int(value) for value in np.unique(values) if value not in labels.values]
        more = " ..." if len(unknown) > _LISTED else ""
        return found_one("LABEL_UNDECLARED", f"0 to {labels.values[-1]}", ", ".join(map(str, unknown[:_LISTED])) + more)
    return []
