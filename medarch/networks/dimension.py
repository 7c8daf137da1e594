"""One place that turns the number of spatial dimensions into torch modules."""

from __future__ import annotations

from typing import Literal

from torch import nn

from medarch.networks.convolution_3d import Convolution3d

Dim = Literal[2, 3]


def convolution(dim: Dim) -> type[nn.Conv2d] | type[nn.Conv3d]:
    """``nn.Conv2d``, or ``nn.Conv3d`` with gradients that are right in bfloat16, too."""
    return Convolution3d if dim == 3 else nn.Conv2d


def transposed_convolution(dim: Dim) -> type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]:
    """``nn.ConvTranspose2d`` or ``nn.ConvTranspose3d``."""
    return nn.ConvTranspose3d if dim == 3 else nn.ConvTranspose2d


def average_pool(dim: Dim) -> type[nn.AvgPool2d] | type[nn.AvgPool3d]:
    """``nn.AvgPool2d`` or ``nn.AvgPool3d``."""
    return nn.AvgPool3d if dim == 3 else nn.AvgPool2d


def max_pool(dim: Dim) -> type[nn.MaxPool2d] | type[nn.MaxPool3d]:
    """``nn.MaxPool2d`` or ``nn.MaxPool3d``."""
    return nn.MaxPool3d if dim == 3 else nn.MaxPool2d
