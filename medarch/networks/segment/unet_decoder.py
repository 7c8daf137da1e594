"""The expanding path of the U-Net, over any encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.decoder import Decoder
from medarch.networks.dimension import Dim
from medarch.networks.encoder import Encoder
from medarch.networks.segment.conv_stack import ConvStack
from medarch.networks.segment.up_sample import UpName, UpSample


class UNetDecoder(Decoder):
    """Up-sample, put the encoder's map of that size beside it, convolve; once a level.

    Source: Ronneberger et al. 2015, arXiv:1505.04597, figure 1. A level whose encoder map has no channels has no skip.

    Args:
        dim: 2 or 3.
        encoder: for its channels and strides.
        widths: channels of each decoded map, finest first; one fewer than the encoder has maps.
        kernels: of each level.
        blocks: convolutions of each level.
        up: how to up-sample.
        norm: normalisation.
    """

    def __init__(
        self,
        dim: Dim,
        encoder: Encoder,
        *,
        widths: Sequence[int],
        kernels: Sequence[Voxels],
        blocks: Sequence[int],
        up: UpName,
        norm: str,
    ) -> None:
        super().__init__(encoder.channels, encoder.strides)
        self.channels = tuple(widths)
        self.ups = nn.ModuleList()
        self.levels = nn.ModuleList()
        deep = encoder.channels[-1]
        for level in reversed(range(len(widths))):
            width = widths[level]
            raised = UpSample(dim, deep, width, stride=encoder.strides[level + 1], how=up)
            joined = raised.channels + encoder.channels[level]
            self.ups.append(raised)
            self.levels.append(ConvStack(joined, width, kernel=kernels[level], count=blocks[level], norm=norm))
            deep = width

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return decoded maps, finest first."""
        *skips, x = maps
        decoded = []
        for up, level in zip(self.ups, self.levels, strict=True):
            skip = skips.pop()
            x = level(torch.cat([up(x, skip.shape[2:]), skip], dim=1))
            decoded.append(x)
        return decoded[::-1]
