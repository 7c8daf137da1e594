"""Label maps, coarser: how much of each block of voxels has each label."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def label_shares(label: Tensor, values: Sequence[int], *, stride: int = 1) -> Tensor:
    """Return ``(B, L, *ceil(grid / stride))``: the share of a block's voxels that has each label, from 0 to 1.

    At a stride of 1 that is the one-hot label map. Else it is what average pooling makes of it (blocks at the far ends
    may be smaller), but voxels are counted, and the one-hot map of the whole grid, with many labels most of the time
    and memory of a loss, never exists.

    Args:
        label: ``(B, 1, *grid)`` whole numbers of any dtype.
        values: the L labels; all other values are no label.
        stride: side of a block in voxels.
    """
    rows, grid, device = len(label), label.shape[2:], label.device
    coarse = [math.ceil(side / stride) for side in grid]
    channels, blocks = len(values) + 1, math.prod(coarse)
    # What is no label goes into a channel of its own, which is left out at the end.
    highest = max(values)
    channel = torch.full((highest + 3,), len(values), device=device)
    channel[torch.tensor(values, device=device) + 1] = torch.arange(len(values), device=device)
    index = channel[label.long().clamp(-1, highest + 1) + 1].view(rows, *grid)
    index += channels * torch.arange(rows, device=device).view(-1, *[1] * len(grid))
    voxels = torch.ones((), device=device)
    for axis, (side, count) in enumerate(zip(grid, coarse, strict=True)):
        place = torch.arange(side, device=device) // stride
        along = [1] * len(grid)
        along[axis] = -1
        index = index * count + place.view(along)
        voxels = voxels * _sizes(side, stride, device).view(along)
    # Whole numbers in any order: the same sums. (``bincount`` would not tell the memory model its size.)
    counts = torch.zeros(rows * channels * blocks, device=device)
    counts.scatter_add_(0, index.flatten(), counts.new_ones(()).expand(index.numel()))
    shares: Tensor = counts.view(rows, channels, *coarse)[:, :-1] / voxels
    return shares


def _sizes(side: int, stride: int, device: torch.device) -> Tensor:
    """Voxels of each block along an axis; the last may have fewer."""
    starts = torch.arange(0, side, stride, device=device)
    return (side - starts).clamp_max(stride)
