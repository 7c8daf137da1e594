"""The nearest voxel, whatever its dtype."""

from __future__ import annotations

import torch
from torch import Tensor


def sample_nearest(image: Tensor, positions: Tensor, *, zeros_outside: bool) -> Tensor:
    """Return the voxels of ``image`` that are nearest to ``positions``.

    Args:
        image: ``(B, C, *moving)``.
        positions: ``(B, D, *grid)`` in voxels of the image.
        zeros_outside: 0 from half a voxel outside; else the nearest voxel.

    Returns:
        ``(B, C, *grid)`` of the image's dtype.
    """
    size = image.shape[2:]
    index = torch.zeros_like(positions[:, 0], dtype=torch.long)
    outside = torch.zeros_like(index, dtype=torch.bool)
    for axis, length in enumerate(size):
        # As ITK rounds: halves go up. What is no number lies nowhere.
        nearest = torch.floor(positions[:, axis] + 0.5).nan_to_num(-1)
        outside |= (nearest < 0) | (nearest >= length)
        index = index * length + nearest.clamp(0, length - 1).long()
    channels = image.shape[1]
    flat = index.flatten(1)[:, None].expand(-1, channels, -1)
    found = image.flatten(2).gather(2, flat).view(*image.shape[:2], *positions.shape[2:])
    return found.masked_fill(outside[:, None], 0) if zeros_outside else found
