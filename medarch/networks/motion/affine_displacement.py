"""An affine transform as a field."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medarch.core.errors import GeometryError
from medarch.networks.motion.voxel_lines import voxel_lines


def affine_displacement(matrix: Tensor, size: Sequence[int]) -> Tensor:
    """Return the displacement u(x) = A x + t - x.

    Args:
        matrix: ``(B, D, D + 1)``, A and t side by side, from voxels of the fixed grid to voxels of the moving image.
        size: of the fixed grid.

    Returns:
        ``(B, D, *size)`` in voxels.

    Raises:
        GeometryError: the matrix does not fit the grid.
    """
    dim = len(size)
    if matrix.dim() != 3 or matrix.shape[1:] != (dim, dim + 1):
        raise GeometryError(
            "not a matrix of this grid", expected=f"(B, {dim}, {dim + 1})", found=str(tuple(matrix.shape))
        )
    lines = voxel_lines(size, matrix)
    less_identity = matrix[:, :, :dim] - torch.eye(dim, dtype=matrix.dtype, device=matrix.device)
    spread = (..., *[None] * dim)
    field = matrix[:, :, dim][spread]
    for axis, line in enumerate(lines):
        field = field + less_identity[:, :, axis][spread] * line
    return field
