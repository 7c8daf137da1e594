"""F-scores of detection and classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairedTypes:
    """The nuclei of one image after pairing their centres. Types count from 1; 0 in the reference: not known."""

    truth: np.ndarray
    """``(pairs,)`` types of the reference."""
    found: np.ndarray
    """``(pairs,)`` types of their partners."""
    missed: np.ndarray
    """Types of the reference's nuclei without a partner."""
    spurious: np.ndarray
    """Types of the found nuclei without a partner."""


@dataclass(frozen=True)
class DetectionScores:
    """F-scores over all images together."""

    detection: float
    """F_d = 2 TP / (2 TP + FP + FN), whatever the types."""
    per_type: tuple[float, ...]
    """F_c of each type; NaN for one that occurs nowhere."""


def detection_scores(images: Sequence[PairedTypes], types: int = 0) -> DetectionScores:
    """Count over all images, then divide.

    F_c of a type looks at pairs in which either partner is of it: right ones, and twice each wrong one, with the
    nuclei of it that have no partner; pairs whose reference is not known are not wrong.
    Source: Graham et al. 2019, arXiv:1812.06499, section 4.2, equations 13 and 14.
    """
    truth, found, missed, spurious = (
        np.concatenate([getattr(image, name) for image in images] or [np.zeros(0, int)])
        for name in ("truth", "found", "missed", "spurious")
    )
    per_type = []
    for kind in range(1, types + 1):
        right = int(((truth == kind) & (found == kind)).sum())
        taken_for_it = int(((truth != kind) & (truth != 0) & (found == kind)).sum())
        taken_for_other = int(((truth == kind) & (found != kind)).sum())
        alone = int((missed == kind).sum() + (spurious == kind).sum())
        per_type.append(_ratio(2 * right, 2 * right + 2 * taken_for_it + 2 * taken_for_other + alone))
    return DetectionScores(_ratio(2 * len(truth), 2 * len(truth) + len(missed) + len(spurious)), tuple(per_type))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
