"""How smooth a transform is, in two numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Smoothness(NamedTuple):
    """Of the Jacobian determinants of a transform."""

    folding_share: float
    """Share of voxels with a determinant of 0 or less, 0..1."""
    sd_log_jacobian: float | None
    """Standard deviation of the natural logarithm over the other voxels; None if there are none."""


def smoothness(jacobian: np.ndarray) -> Smoothness:
    """Measure determinants of any shape. A fold has no logarithm and is counted instead."""
    positive = jacobian[jacobian > 0]
    deviation = float(np.log(positive).std()) if positive.size else None
    return Smoothness(1.0 - positive.size / jacobian.size, deviation)
