"""Inverted bottlenecks of MobileNetV2, EfficientNet and EfficientNetV2."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.divisible_by_8 import divisible_by_8
from medarch.networks.blocks.squeeze_excitation import SqueezeExcitation
from medarch.networks.blocks.stochastic_depth import StochasticDepth
from medarch.networks.stage_geometry import StageGeometry


@dataclass(frozen=True)
class InvertedStyle:
    """What the blocks of one stage have in common."""

    expansion: float
    """Channels inside for each that comes in."""
    kernel: int = 3
    fused: bool = False
    """One dense convolution in place of 1×1 and depthwise (EfficientNetV2, arXiv:2104.00298, figure 2)."""
    squeeze: bool = True
    """Squeeze-and-excitation with a quarter of the input's channels; not in fused blocks."""
    activation: str = "silu"
    eps: float = 1e-5
    drop: float = 0.0
    """Probability that training leaves the branch out."""


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel by itself, narrow; a shortcut between the narrow ends.

    ``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``. Sources: Sandler et al. 2018 (arXiv:1801.04381,
    figure 3b); Tan & Le 2019 (arXiv:1905.11946) for squeeze-and-excitation; Tan & Le 2021 (arXiv:2104.00298) for the
    fused one. The last convolution has no activation; a fused block without expansion is one convolution with it.
    """

    def __init__(self, in_channels: int, out_channels: int, style: InvertedStyle, geometry: StageGeometry) -> None:
        super().__init__()
        inside = divisible_by_8(in_channels * style.expansion)
        kernel, stride = geometry.kernel(style.kernel), geometry.stride
        layers = OrderedDict[str, nn.Module]()
        if style.fused and style.expansion == 1:
            layers["conv"] = _conv(in_channels, out_channels, kernel, stride, style)
        else:
            if style.fused:
                layers["expand"] = _conv(in_channels, inside, kernel, stride, style)
            else:
                if style.expansion != 1:
                    layers["expand"] = _conv(in_channels, inside, geometry.one, None, style)
                layers["depthwise"] = _conv(inside, inside, kernel, stride, style, groups=inside)
                if style.squeeze:
                    hidden = max(1, in_channels // 4)
                    layers["gate"] = SqueezeExcitation(inside, hidden, activation=style.activation)
            layers["project"] = _conv(inside, out_channels, geometry.one, None, replace(style, activation="none"))
        self.branch = nn.Sequential(layers)
        self.shortcut = in_channels == out_channels and geometry.stride == geometry.one
        self.drop = StochasticDepth(style.drop)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inside: Tensor = self.branch(x)
        return x + self.drop(inside) if self.shortcut else inside


def _conv(
    in_channels: int, out_channels: int, kernel: Voxels, stride: Voxels | None, style: InvertedStyle, groups: int = 1
) -> ConvNormActivation:
    return ConvNormActivation(
        in_channels, out_channels, kernel, stride, groups=groups, eps=style.eps, activation=style.activation
    )
