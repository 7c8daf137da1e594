"""Convolutions one after another, each with a normalisation and a ReLU: what U-Nets of all papers are built from."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import Voxels
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation


class ConvStack(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, out, *spatial)``: ``count`` times convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: Voxels, count: int, norm: str) -> None:
        widths = [in_channels, *[out_channels] * count]
        super().__init__(
            *(ConvNormActivation(widths[index], out_channels, kernel, norm=norm) for index in range(count))
        )
