"""The input of a network that sees cases whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Voxels
from medarch.planning.target_spacing import TargetGrid

PERCENTILE = 95
"""The input holds so many per cent of the cases whole, along each axis."""
SIDE_STEP = 4


def whole_case_size(
    fingerprint: Fingerprint, grid: TargetGrid, spacing_mm: Sequence[float], *, smallest_side: int, cropped: bool
) -> tuple[Voxels, Voxels]:
    """Return input and median shape, along the three network axes.

    Args:
        fingerprint: of the dataset.
        grid: for its axes.
        spacing_mm: of the input, along network axes.
        smallest_side: of the input, in voxels.
        cropped: whether cases are cropped to what is not zero.
    """
    cases = fingerprint.cases
    shapes = np.array([[(c.shape_after_crop if cropped else c.shape)[axis] for axis in grid.axes] for c in cases])
    spacings = np.array([[case.spacing_mm[axis] for axis in grid.axes] for case in cases])
    resampled = np.maximum(1, np.rint(shapes * spacings / np.array(spacing_mm)))
    wanted = np.percentile(resampled, PERCENTILE, axis=0)
    size = [max(smallest_side, math.ceil(side / SIDE_STEP) * SIDE_STEP) for side in wanted]
    if grid.median_shape[0] == 1:
        size[0], resampled[:, 0] = 1, 1
    median = np.median(resampled, axis=0)
    return tuple(size), tuple(int(side) for side in median)
