"""The warping layer: an image sampled where a displacement field points."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.errors import GeometryError, UsageError
from medarch.networks.motion.require_field import require_field
from medarch.networks.motion.sample_cubic import sample_cubic
from medarch.networks.motion.sample_nearest import sample_nearest
from medarch.networks.motion.voxel_lines import voxel_lines

Mode = Literal["linear", "nearest", "cubic"]
Outside = Literal["zeros", "border"]


def warp(image: Tensor, displacement: Tensor, *, mode: Mode = "linear", outside: Outside = "zeros") -> Tensor:
    """Return the image at x + u(x) for every voxel x of the field's grid.

    Source: the spatial transformer of Jaderberg et al. 2015, arXiv:1506.02025. Differentiable in image and field,
    ``nearest`` in the image alone. Positions are computed in float32 at least: half precision has no tenths of a voxel
    beyond the 128th.

    Args:
        image: ``(B, C, *moving)``, the moving image; one-hot labels are warped ``linear``, label maps ``nearest``.
            Its grid may be another one than the field's: x + u(x) counts the voxels of the image.
        displacement: ``(B, D, *grid)`` in voxels.
        mode: ``linear``; ``nearest``, which keeps the dtype, so label maps stay integers; ``cubic``, the interpolating
            B-spline of degree 3 with mirrored edges (ITK's, SciPy's).
        outside: what lies beyond the image. ``zeros``: linear values fade to 0 over one voxel, the others are 0 from
            half a voxel outside; ``border``: the nearest voxel of the image.

    Returns:
        ``(B, C, *grid)``.

    Raises:
        GeometryError: the field is none, or image and field differ in batch or dimensions.
        UsageError: unknown mode.
    """
    dim = require_field(displacement, dim=image.dim() - 2)
    if image.shape[0] != displacement.shape[0]:
        raise GeometryError(
            "image and field differ in batch size", expected=str(displacement.shape[0]), found=str(image.shape[0])
        )
    exact = torch.promote_types(displacement.dtype, torch.float32)
    displacement = displacement.to(exact)
    if mode == "linear":
        return _linear(image.to(exact), displacement, dim, outside)
    positions = displacement + _spread(voxel_lines(displacement.shape[2:], displacement))
    if mode == "nearest":
        return sample_nearest(image, positions, zeros_outside=outside == "zeros")
    if mode == "cubic":
        return sample_cubic(image.to(exact), positions, zeros_outside=outside == "zeros")
    raise UsageError("unknown mode of interpolation", expected="linear, nearest or cubic", found=str(mode))


def _linear(image: Tensor, displacement: Tensor, dim: int, outside: Outside) -> Tensor:
    # torch counts from -1 to 1 over the image, and an axis of one voxel has no extent: everything lies in its middle.
    scales = [2 / max(1, length - 1) if length > 1 else 0.0 for length in image.shape[2:]]
    lines = voxel_lines(displacement.shape[2:], displacement)
    starts = _spread([line * scale - (1 if scale else 0) for line, scale in zip(lines, scales, strict=True)])
    factors = displacement.new_tensor(scales).view(1, dim, *[1] * dim)
    positions = torch.addcmul(starts, displacement, factors)
    if image.requires_grad:
        # torch wants the last axis first; scattering gradients into an image wants it laid out as it is.
        positions = positions.flip(1)
    else:
        # The same without a copy: look at the image with its axes reversed.
        image = image.permute(0, 1, *range(dim + 1, 1, -1))
    return F.grid_sample(image, positions.movedim(1, -1), mode="bilinear", padding_mode=outside, align_corners=True)


def _spread(lines: list[Tensor]) -> Tensor:
    """A coordinate for each axis → ``(D, *grid)``."""
    size = [line.numel() for line in lines]
    return torch.stack([line.expand(size) for line in lines])
