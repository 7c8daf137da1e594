"""Instance normalisation that keeps the memory layout it is given."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 2048
"""Sums in float32 that grow side by side: a channel has several."""
ROWS = 256
"""Values that one such sum takes before all are added up in float64."""


class InstanceNorm(nn.Module):
    """Normalise each channel of each sample over its voxels, with scale and shift.

    Source: Ulyanov et al. 2016, arXiv:1607.08022. For ``(B, C, *spatial)``. torch's own instance norm turns
    channels-last tensors into contiguous ones, which costs a copy before and after. A group norm with one channel a
    group keeps the layout, but sums a million squares in float32 one after another: its result is off by 1e-3, in
    bfloat16 by 1e-1. torch's batch norm is fast on channels-last tensors, with the same flaw. So for prediction on a
    CPU its kernels are used, on pieces short enough.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, same shape."""
        if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
            return self._written_out(x)
        if not torch.is_grad_enabled() and not x.is_contiguous():
            if x.device.type == "cpu":
                return self._channels_last(x)
            return F.group_norm(x, len(self.weight), self.weight, self.bias, self.eps)
        if x[0, 0].numel() == 1 and self.training:
            # One voxel a channel: its value equals the mean. torch refuses; the function itself is just the shift.
            return self.bias.to(x.dtype).view(1, -1, *[1] * (x.dim() - 2)).expand_as(x)
        if torch.is_grad_enabled() and x.is_contiguous():
            # The same sums. What torch's instance norm returns is a view, which an activation in place then turns
            # into two more copies in the backward pass: two to four times the time.
            if x.device.type == "cpu":
                return F.group_norm(x, len(self.weight), self.weight, self.bias, self.eps)
            return self._samples_as_channels(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    def _samples_as_channels(self, x: Tensor) -> Tensor:
        """What torch's instance norm does, but for the view: nobody needs the batch norm's output as it was."""
        rows, side_by_side = len(x), x.reshape(1, -1, *x.shape[2:])
        weight, bias = self.weight.repeat(rows), self.bias.repeat(rows)
        normalised = F.batch_norm(side_by_side, None, None, weight, bias, training=True, momentum=0.0, eps=self.eps)
        return torch.ops.aten._unsafe_view(normalised, x.shape)  # type: ignore[no-any-return]

    def _written_out(self, x: Tensor) -> Tensor:
        """Elementary operations, which the compiler fuses without changing the layout."""
        axes, shape = tuple(range(2, x.dim())), (1, -1, *[1] * (x.dim() - 2))
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, dim=axes, correction=0, keepdim=True)
        scale = torch.rsqrt(variance + self.eps) * self.weight.view(shape)
        return ((exact - mean) * scale + self.bias.view(shape)).to(x.dtype)

    def _channels_last(self, x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        exact = torch.promote_types(x.dtype, torch.float32)
        weight, bias, unused = self.weight.to(exact), self.bias.to(exact), torch.empty(0, dtype=exact)
        for sample, target in zip(x, out, strict=True):
            mean, variance = (found.to(exact) for found in _mean_and_variance(_voxels(sample)))
            # (V, C) as (1, C, V, 1), which is channels last.
            source, place = (_voxels(array).T[None, :, :, None] for array in (sample, target))
            torch.native_batch_norm(
                source, weight, bias, mean, variance, False, 0.0, self.eps, out=(place, unused, unused)
            )
        return out


def _voxels(sample: Tensor) -> Tensor:
    """``(C, *spatial)`` with channels last in memory → the same memory as ``(V, C)``."""
    return sample.movedim(0, -1).flatten(0, -2)


def _mean_and_variance(voxels: Tensor) -> tuple[Tensor, Tensor]:
    """``(V, C)`` → ``(C,)`` float64 each."""
    channels = voxels.shape[1]
    fold = max(1, WIDTH // channels)
    whole = len(voxels) - len(voxels) % fold
    pieces = [*torch.split(voxels[:whole].view(-1, fold * channels), ROWS), voxels[whole:]]
    shares, means, variances = [], [], []
    for piece in pieces:
        if len(piece):
            zeros = torch.zeros(piece.shape[1], dtype=torch.promote_types(piece.dtype, torch.float32))
            mean, variance = torch.batch_norm_update_stats(piece, zeros, zeros.clone(), 0.0)
            means.append(mean.view(-1, channels))
            variances.append(variance.view(-1, channels))
            shares += [len(piece) / len(voxels)] * len(means[-1])
    share = torch.tensor(shares, dtype=torch.float64)
    mean_of, within = torch.cat(means).double(), torch.cat(variances).double()
    mean = share @ mean_of
    return mean, share @ (within + (mean_of - mean).square())
