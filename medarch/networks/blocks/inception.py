"""The inception block."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.stage_geometry import StageGeometry

EPS = 1e-3


class Inception(nn.Module):
    """Convolutions of several sizes side by side (Szegedy et al. 2014, arXiv:1409.4842, figure 2b).

    ``(B, in, *spatial)`` → ``(B, channels, *spatial)``. With batch normalisation, as in every implementation since.

    Args:
        in_channels: of the input.
        widths: of the 1×1; the reduction before the 3×3 and the 3×3; the reduction before the 5×5 and the 5×5; the
            projection behind the pooling (columns of table 1).
        geometry: axes along which kernels are flat.
        wide: edge of the "5×5"; torchvision and its weight files have 3.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], geometry: StageGeometry, *, wide: int = 3) -> None:
        super().__init__()
        one, (single, reduce3, three, reduce5, five, pooled) = geometry.one, widths
        self.branch1 = _conv(in_channels, single, one)
        self.branch2 = nn.Sequential(_conv(in_channels, reduce3, one), _conv(reduce3, three, geometry.kernel(3)))
        self.branch3 = nn.Sequential(_conv(in_channels, reduce5, one), _conv(reduce5, five, geometry.kernel(wide)))
        self.branch4 = nn.Sequential(MaxPool(geometry.kernel(3), one), _conv(in_channels, pooled, one))
        self.channels = single + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches' outputs as channels of one tensor."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


def _conv(in_channels: int, out_channels: int, kernel: tuple[int, ...]) -> ConvNormActivation:
    return ConvNormActivation(in_channels, out_channels, kernel, eps=EPS)
