"""The ConvNeXt block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.stochastic_depth import StochasticDepth
from medarch.networks.stage_geometry import StageGeometry

FIRST_SCALE = 1e-6


class ConvNeXtBlock(nn.Module):
    """Depthwise 7×7, layer norm, two linear layers with a GELU between (Liu et al. 2022, arXiv:2201.03545, figure 4).

    ``(B, C, *spatial)`` → the same. The branch is scaled by a learnt factor a channel that begins at 1e-6.
    """

    def __init__(self, channels: int, geometry: StageGeometry, *, drop: float = 0.0) -> None:
        super().__init__()
        self.conv = convolve(channels, channels, geometry.kernel(7), groups=channels, bias=True)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.activation = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), FIRST_SCALE))
        self.drop = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inside = self.norm(self.conv(x).movedim(1, -1))
        inside = self.project(self.activation(self.expand(inside))) * self.scale
        return x + self.drop(inside.movedim(-1, 1))  # type: ignore[no-any-return]
