"""Free-form deformation: a smooth field from a coarse lattice of control points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medarch.core.errors import GeometryError
from medarch.networks.motion.require_field import require_field

DEGREE = 3


def bspline_field(coefficients: Tensor, size: Sequence[int]) -> Tensor:
    """Return the field of a uniform cubic B-spline.

    Source: Rueckert et al. 1999, doi:10.1109/42.796284. The grid, from the centre of its first voxel to that of its
    last, is divided into cells; there are three control points more than cells along each axis, one before and two
    behind. One small matrix product an axis.

    Args:
        coefficients: ``(B, D, *cells + 3)`` in voxels of the grid.
        size: of the grid.

    Returns:
        ``(B, D, *size)`` in voxels.

    Raises:
        GeometryError: not a field, or fewer than four control points along an axis.
    """
    dim = require_field(coefficients, dim=len(size))
    if min(coefficients.shape[2:]) <= DEGREE:
        raise GeometryError(
            "too few control points",
            expected=f"at least {DEGREE + 1} along each axis",
            found=str(tuple(coefficients.shape[2:])),
        )
    field = coefficients
    for axis in range(dim):
        weights = _weights(size[axis], coefficients.shape[axis + 2]).to(field)
        # The axis goes to the end and is the first of the rest again after all of them had their turn.
        field = torch.tensordot(field, weights, dims=([2], [1]))
    return field


def _weights(length: int, points: int) -> Tensor:
    """``(length, points)``: what each control point adds to each voxel."""
    cells = points - DEGREE
    place = torch.linspace(0, cells, length, dtype=torch.float64) if length > 1 else torch.zeros(1, dtype=torch.float64)
    first = place.floor().clamp(max=cells - 1)
    t = place - first
    values = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], dim=1)
    weights = torch.zeros(length, points, dtype=torch.float64)
    columns = first.long()[:, None] + torch.arange(DEGREE + 1)
    return weights.scatter_(1, columns, values / 6)
