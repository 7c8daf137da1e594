"""The decoder of the fully convolutional networks: scores at some depths, interpolated and added."""

from __future__ import annotations

import math

from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.decoder import Decoder
from medarch.networks.dimension import Dim, convolution
from medarch.networks.encoder import Encoder
from medarch.networks.segment.bilinear_deconvolution import bilinear_deconvolution
from medarch.networks.segment.up_sample import crop


class FCNDecoder(Decoder):
    """Logits of the encoder's deepest map, up-sampled to the next one and added to its own, ``skips`` times.

    ``skips`` 0, 1 and 2 make FCN-32s, 16s and 8s of an encoder with strides up to 32. Source: Shelhamer, Long, Darrell
    2017, arXiv:1605.06211, figure 3. Where the paper crops an input padded by 100, maps keep their sizes here.

    Returns one map: ``(B, heads, *spatial)`` of the first map's size.
    """

    def __init__(self, dim: Dim, encoder: Encoder, *, heads: int, skips: int, dense: bool) -> None:
        super().__init__(encoder.channels, encoder.strides)
        self.channels = (heads,)
        deepest = len(encoder.channels) - 1
        self.taps = tuple(range(deepest, max(deepest - skips, 1) - 1, -1))
        self.scores = nn.ModuleList(convolution(dim)(encoder.channels[tap], heads, 1) for tap in self.taps)
        steps = [encoder.strides[tap] for tap in self.taps[:-1]]
        steps.append(_product(encoder.strides[1 : self.taps[-1] + 1]))
        self.ups = nn.ModuleList(bilinear_deconvolution(dim, heads, stride=step, dense=dense) for step in steps)
        for score in self.scores[1:]:
            # A skip begins without effect (section 4.2).
            nn.init.zeros_(score.weight)  # type: ignore[arg-type]
            nn.init.zeros_(score.bias)  # type: ignore[arg-type]

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return the logits."""
        logits: Tensor | None = None
        for tap, score, up in zip(self.taps, self.scores, self.ups, strict=True):
            own = score(maps[tap])
            logits = own if logits is None else own + logits
            target = maps[0] if tap == self.taps[-1] else maps[tap - 1]
            logits = crop(up(logits), target.shape[2:])
        return [] if logits is None else [logits]


def _product(strides: tuple[Voxels, ...]) -> Voxels:
    return tuple(math.prod(axis) for axis in zip(*strides, strict=True))
