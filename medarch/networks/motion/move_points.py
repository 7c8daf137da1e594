"""Landmarks follow a field."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.core.errors import GeometryError
from medarch.networks.motion.require_field import require_field
from medarch.networks.motion.warp import warp


def move_points(points: Tensor, displacement: Tensor) -> Tensor:
    """Return φ(p) = p + u(p) for landmarks of the fixed image.

    Those of the moving image go the other way, by the inverse field.

    Args:
        points: ``(N, D)`` in voxels of the field's grid.
        displacement: ``(1, D, *grid)`` in voxels, interpolated linearly; beyond its grid it goes on as at the face.

    Returns:
        ``(N, D)`` in voxels of the moving image.

    Raises:
        GeometryError: not one field, or points of another dimension.
    """
    dim = require_field(displacement)
    if points.dim() != 2 or points.shape[1] != dim or len(displacement) != 1:
        raise GeometryError(
            "points and field do not fit",
            expected=f"(N, {dim}) and one field",
            found=f"{tuple(points.shape)} and {len(displacement)}",
        )
    # A grid of N voxels along the first axis, each displaced to where its point lies.
    grid = points.T.reshape(1, dim, -1, *[1] * (dim - 1)).to(displacement.dtype)
    number = torch.arange(len(points), dtype=grid.dtype, device=grid.device).view(1, 1, -1, *[1] * (dim - 1))
    first = grid[:, :1] - number
    vectors = warp(displacement, torch.cat([first, grid[:, 1:]], 1), outside="border")
    return points + vectors.reshape(dim, -1).T
