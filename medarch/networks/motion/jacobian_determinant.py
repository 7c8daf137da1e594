"""How a transform changes volume, voxel by voxel."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.networks.motion.require_field import require_field


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """Return det(I + ∂u/∂x): 1 keeps volume, 0 and below folds.

    Central differences, one-sided at the faces. The value is the same in voxels and in millimetres.

    Args:
        displacement: ``(B, D, *grid)`` in voxels.

    Returns:
        ``(B, *grid)``.

    Raises:
        GeometryError: not a field.
    """
    dim = require_field(displacement)
    rows = [[_derivative(displacement[:, row], column + 1) for column in range(dim)] for row in range(dim)]
    for axis in range(dim):
        rows[axis][axis] = rows[axis][axis] + 1
    if dim == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _derivative(component: Tensor, axis: int) -> Tensor:
    if component.shape[axis] == 1:
        return torch.zeros_like(component)
    return torch.gradient(component, dim=axis)[0]
