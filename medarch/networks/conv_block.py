"""Convolution, instance norm, leaky ReLU: the building block of nnU-Net."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import Voxels
from medarch.networks.dimension import Dim, convolution
from medarch.networks.instance_norm import InstanceNorm

NEGATIVE_SLOPE = 0.01


class ConvBlock(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``. Padding is ``(kernel - 1) / 2``."""

    def __init__(
        self, dim: Dim, in_channels: int, out_channels: int, *, kernel: Voxels, stride: Voxels, activate: bool = True
    ) -> None:
        padding = tuple((size - 1) // 2 for size in kernel)
        layers: list[nn.Module] = [
            convolution(dim)(in_channels, out_channels, kernel, stride, padding),  # type: ignore[arg-type]
            InstanceNorm(out_channels),
        ]
        if activate:
            layers.append(nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))
        super().__init__(*layers)
