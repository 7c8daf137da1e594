"""Coordinates of a grid's voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def voxel_lines(size: Sequence[int], like: Tensor) -> list[Tensor]:
    """Return the voxel coordinates 0, 1, 2, ... along each axis, shaped to broadcast over the grid.

    Three short lines in place of a whole grid: sums of them cost no more than reading one.

    Args:
        size: of the grid.
        like: for device and dtype.
    """
    lines = []
    for axis, length in enumerate(size):
        shape = [1] * len(size)
        shape[axis] = length
        lines.append(torch.arange(length, dtype=like.dtype, device=like.device).view(shape))
    return lines
