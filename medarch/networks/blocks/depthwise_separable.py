"""Depthwise separable convolution."""

from __future__ import annotations

from torch import nn

from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.stage_geometry import StageGeometry


class DepthwiseSeparable(nn.Sequential):
    """A 3×3 convolution of each channel by itself, then a 1×1 (Howard et al. 2017, arXiv:1704.04861, figure 3).

    ``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, geometry: StageGeometry, *, activation: str = "relu6"
    ) -> None:
        super().__init__(
            ConvNormActivation(
                in_channels,
                in_channels,
                geometry.kernel(3),
                geometry.stride,
                groups=in_channels,
                activation=activation,
            ),
            ConvNormActivation(in_channels, out_channels, geometry.one, activation=activation),
        )
