"""Fields at another resolution."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from medarch.networks.motion.require_field import require_field


def resize_field(field: Tensor, size: Sequence[int]) -> Tensor:
    """Return the same motion on a coarser or finer grid with the same corners.

    Vectors grow with the grid: one voxel of a grid of half the resolution is two of the other.

    Args:
        field: displacement or velocity ``(B, D, *grid)`` in voxels.
        size: of the new grid.

    Returns:
        ``(B, D, *size)`` in voxels of the new grid, linearly interpolated.

    Raises:
        GeometryError: not a field.
    """
    dim = require_field(field)
    old = field.shape[2:]
    if tuple(size) == tuple(old):
        return field
    scales = [(new - 1) / (was - 1) if was > 1 else float(new) for new, was in zip(size, old, strict=True)]
    factors = field.new_tensor(scales).view(1, dim, *[1] * dim)
    # Scale where there are fewer values.
    fewer = field.shape[2:].numel() <= _count(size)
    field = field * factors if fewer else field
    resized = F.interpolate(field, tuple(size), mode="trilinear" if dim == 3 else "bilinear", align_corners=True)
    return resized if fewer else resized * factors


def _count(size: Sequence[int]) -> int:
    total = 1
    for length in size:
        total *= length
    return total
