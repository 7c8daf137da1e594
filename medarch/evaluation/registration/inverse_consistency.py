"""How far a voxel is from where it was, after there and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import TransformChain
from medarch.preprocessing.transforms.grid_blocks import grid_blocks
from medarch.preprocessing.transforms.map_block import map_block
from medarch.preprocessing.transforms.map_points import map_points


class InverseConsistency(NamedTuple):
    """Over the voxels that both transforms cover."""

    mean_mm: float
    largest_mm: float


def inverse_consistency(forward: TransformChain, backward: TransformChain, grid: Geometry) -> InverseConsistency:
    """Measure ``backward(forward(x)) - x`` at the voxels of the fixed grid.

    A voxel that is sent to where the way back has no field cannot come back and is left out.

    Raises:
        EvaluationError: no voxel is covered by both.
    """
    total, count, largest = 0.0, 0, 0.0
    for block in grid_blocks(grid):
        there, known = map_block(block, grid, forward)
        back, known_back = map_points(there[known], backward)
        missed = np.linalg.norm(back - block.points_mm[known], axis=1)[known_back]
        total += float(missed.sum())
        count += len(missed)
        largest = max(largest, float(missed.max(initial=0.0)))
    if not count:
        raise EvaluationError(
            "the transform and its inverse have no voxel in common",
            expected="fields on the fixed and the moving grid",
            found="fields that do not cover each other",
            fix="check that both belong to this pair",
        )
    return InverseConsistency(total / count, largest)
