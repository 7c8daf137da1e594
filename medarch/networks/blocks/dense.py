"""Dense layers: each sees the outputs of all before it."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from medarch.networks.blocks.activation import activation
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pool import AveragePool
from medarch.networks.stage_geometry import StageGeometry

BOTTLENECK = 4
"""Width of the 1×1 convolution, in growth rates (Huang et al. 2016, arXiv:1608.06993, section 3)."""


class DenseBlock(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, in + layers * growth, *spatial)`` (arXiv:1608.06993, figure 1; DenseNet-BC)."""

    def __init__(self, in_channels: int, layers: int, growth: int, geometry: StageGeometry) -> None:
        super().__init__(*(_DenseLayer(in_channels + index * growth, growth, geometry) for index in range(layers)))
        self.channels = in_channels + layers * growth


class _DenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth: int, geometry: StageGeometry) -> None:
        super().__init__()
        dim, width = len(geometry.stride), BOTTLENECK * growth
        self.norm1 = normalisation("batch", in_channels, dim)
        self.conv1 = convolve(in_channels, width, geometry.one)
        self.norm2 = normalisation("batch", width, dim)
        self.conv2 = convolve(width, growth, geometry.kernel(3))
        self.activation = activation("relu")

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv1(self.activation(self.norm1(x)))
        new = self.conv2(self.activation(self.norm2(new)))
        return torch.cat([x, new], dim=1)


class Transition(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``: 1×1 convolution, then average pooling."""

    def __init__(self, in_channels: int, out_channels: int, geometry: StageGeometry) -> None:
        layers = OrderedDict[str, nn.Module](
            norm=normalisation("batch", in_channels, len(geometry.stride)),
            activation=activation("relu"),
            conv=convolve(in_channels, out_channels, geometry.one),
        )
        if geometry.stride != geometry.one:
            layers["pool"] = AveragePool(geometry.stride)
        super().__init__(layers)
