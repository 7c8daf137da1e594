"""Instance normalisation that keeps the memory layout it is given."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHUNK = 256
"""Voxels summed in float32 before the sums are added up in float64."""


class InstanceNorm(nn.Module):
    """Normalise each channel of each sample over its voxels, with scale and shift.

    Source: Ulyanov et al. 2016, arXiv:1607.08022. For ``(B, C, *spatial)``. torch's own instance norm turns
    channels-last tensors into contiguous ones, which costs a copy before and after. A group norm with one channel a
    group keeps the layout, but sums a million squares in float32 one after another: its result is off by 1e-3, in
    bfloat16 by 1e-1. So for prediction on a CPU the sums are taken here, in chunks.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, same shape."""
        if not torch.is_grad_enabled() and not x.is_contiguous():
            if x.device.type == "cpu":
                return self._channels_last(x)
            return F.group_norm(x, len(self.weight), self.weight, self.bias, self.eps)
        if x[0, 0].numel() == 1 and self.training:
            # One voxel a channel: its value equals the mean. torch refuses; the function itself is just the shift.
            return self.bias.to(x.dtype).view(1, -1, *[1] * (x.dim() - 2)).expand_as(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    def _channels_last(self, x: Tensor) -> Tensor:
        voxels = x.movedim(1, -1).flatten(1, -2)
        mean, square = _mean_and_square(voxels)
        scale = (square - mean.square() + self.eps).rsqrt() * self.weight
        shift = self.bias - mean * scale
        ones = [1] * (x.dim() - 2)
        return torch.addcmul(
            shift.to(x.dtype).view(*shift.shape, *ones), x, scale.to(x.dtype).view(*scale.shape, *ones)
        )


def _mean_and_square(voxels: Tensor) -> tuple[Tensor, Tensor]:
    """``(B, voxels, C)`` → mean and mean square, ``(B, C)`` float64."""
    batch, count, channels = voxels.shape
    whole = count - count % CHUNK
    parts = [voxels[:, :whole].reshape(batch, -1, CHUNK, channels), voxels[:, whole:].unsqueeze(1)]
    dtype = torch.promote_types(voxels.dtype, torch.float32)
    total = torch.zeros(batch, channels, dtype=torch.float64)
    square = torch.zeros_like(total)
    for part in parts:
        if part.numel():
            total += part.sum(2, dtype=dtype).double().sum(1)
            square += torch.linalg.vector_norm(part, dim=2, dtype=dtype).double().square().sum(1)
    return total / count, square / count
