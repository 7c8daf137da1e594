"""Instance normalisation that keeps the memory layout it is given."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InstanceNorm(nn.Module):
    """Normalise each channel of each sample over its voxels, with scale and shift.

    Source: Ulyanov et al. 2016, arXiv:1607.08022. For ``(B, C, *spatial)``. torch's own instance norm turns
    channels-last tensors into contiguous ones, which costs a copy before and after; a group norm with one channel a
    group is the same function and keeps channels-last. Its backward pass on the CPU is six times slower, so training
    keeps to the instance norm.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, same shape."""
        if not torch.is_grad_enabled() and not x.is_contiguous():
            return F.group_norm(x, len(self.weight), self.weight, self.bias, self.eps)
        if x[0, 0].numel() == 1 and self.training:
            # One voxel a channel: its value equals the mean. torch refuses; the function itself is just the shift.
            return self.bias.to(x.dtype).view(1, -1, *[1] * (x.dim() - 2)).expand_as(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
