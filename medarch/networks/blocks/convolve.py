"""A convolution that keeps the size, or divides it by its stride."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import Voxels
from medarch.networks.dimension import Dim, convolution


def convolve(
    in_channels: int,
    out_channels: int,
    kernel: Voxels,
    stride: Voxels | None = None,
    *,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2d | nn.Conv3d:
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``; the kernel is odd along each axis.

    With ``groups = in_channels`` it is depthwise; with a kernel of 1 it is a linear layer on the channels.
    """
    dim: Dim = 3 if len(kernel) == 3 else 2
    padding = tuple((size - 1) // 2 for size in kernel)
    return convolution(dim)(
        in_channels,
        out_channels,
        kernel,  # type: ignore[arg-type]
        stride or (1,) * dim,  # type: ignore[arg-type]
        padding,  # type: ignore[arg-type]
        groups=groups,
        bias=bias,
    )
