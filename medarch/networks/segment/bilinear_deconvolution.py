"""Up-sampling that begins as linear interpolation and may learn to be something else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.dimension import Dim, transposed_convolution


def bilinear_deconvolution(dim: Dim, channels: int, *, stride: Voxels, dense: bool) -> nn.Module:
    """Return a transposed convolution, ``(B, channels, *size)`` → ``(B, channels, *size * stride)``.

    Each channel begins as its own linear interpolation. Source: Shelhamer, Long, Darrell 2017, arXiv:1605.06211,
    section 3.3.

    Args:
        dim: 2 or 3.
        channels: in and out.
        stride: factor of each axis.
        dense: let every channel see every other (the paper's layer: ``channels²`` kernels); else only itself.
    """
    kernel = tuple(2 * step - step % 2 for step in stride)
    padding = tuple(step // 2 for step in stride)
    groups = 1 if dense else channels
    layer = transposed_convolution(dim)(channels, channels, kernel, stride, padding, groups=groups, bias=False)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.zero_()
        own = torch.arange(channels, device=layer.weight.device)
        layer.weight[own, own if dense else torch.zeros_like(own)] = _linear_filter(kernel, stride, layer.weight)
    return layer


def _linear_filter(kernel: Voxels, stride: Voxels, like: Tensor) -> Tensor:
    """``(*kernel)``: the product of a triangle along each axis."""
    whole = torch.ones((1,) * len(kernel), dtype=like.dtype, device=like.device)
    for axis, (size, step) in enumerate(zip(kernel, stride, strict=True)):
        place = torch.arange(size, dtype=like.dtype, device=like.device)
        line = 1 - (place - (size - 1) / 2).abs() / step
        whole = whole * line.view([-1 if other == axis else 1 for other in range(len(kernel))])
    return whole
