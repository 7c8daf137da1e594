"""The way back."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.networks.motion.require_field import require_field
from medarch.networks.motion.warp import warp


@torch.no_grad()
def invert(
    displacement: Tensor, *, start: Tensor | None = None, tolerance_voxels: float = 1e-3, iterations: int = 50
) -> Tensor:
    """Return the displacement of φ⁻¹ on the same grid, by fixed point iteration; no gradients.

    Each voxel x solves y + u(y) = x for itself. Source: Chen et al. 2008, doi:10.1118/1.2816107; a voxel that
    oversteps halves its steps from then on, so places that stretch to more than the double come home, too. Where the
    field folds there is no inverse: such voxels keep what they have after the last iteration. An integrated velocity
    is inverted better by integrating the negative one.

    Args:
        displacement: ``(B, D, *grid)`` in voxels; beyond its grid it goes on as at the face.
        start: the inverse as far as it is known, such as the integral of the negative velocity; default ``-u``.
        tolerance_voxels: largest error at which to stop.
        iterations: at most.

    Raises:
        GeometryError: not a field.
    """
    require_field(displacement)
    inverse = -displacement if start is None else start
    step = torch.ones_like(displacement[:, :1])
    before = torch.zeros_like(inverse)
    for _ in range(iterations):
        error = inverse + warp(displacement, inverse, outside="border")
        if float(error.square().sum(1).max()) <= tolerance_voxels**2:
            break
        overshot = (error * before).sum(1, keepdim=True) < 0
        step = torch.where(overshot, step / 2, step)
        before = error
        inverse = inverse - step * error
    return inverse
