"""Any encoder, any decoder, and heads."""

from __future__ import annotations

import math

from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.decoder import Decoder
from medarch.networks.dimension import Dim, convolution
from medarch.networks.encoder import Encoder


class EncoderDecoder(nn.Module):
    """A segmentation network from its three parts.

    Input ``(B, C, *spatial)`` of any size; multiples of :attr:`divisor` need no cropping inside. Output in training
    with ``deep_supervision``: a list of logits ``(B, heads, *size)``, one a map of the decoder, finest (or deepest)
    first; otherwise the first alone, of the size of the input.

    Args:
        dim: 2 or 3.
        encoder: whose first map has the size of the image.
        decoder: made for it.
        heads: channels of the logits; None where the decoder gives logits itself.
        deep_supervision: a head for every map of the decoder.
        head_kernel: edge of the heads' kernel; 1 lets a prediction average features in place of logits.
    """

    def __init__(
        self,
        dim: Dim,
        encoder: Encoder,
        decoder: Decoder,
        *,
        heads: int | None,
        deep_supervision: bool = False,
        head_kernel: int = 1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.deep_supervision = deep_supervision
        supervised = decoder.channels if deep_supervision else decoder.channels[:1]
        self.heads = nn.ModuleList(
            nn.Identity() if heads is None else convolution(dim)(width, heads, head_kernel, padding=head_kernel // 2)
            for width in supervised
        )

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return logits; see the class."""
        if self.deep_supervision and self.training:
            return [head(decoded) for head, decoded in zip(self.heads, self.decoder(self.encoder(x)), strict=True)]
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Return what :attr:`head` turns into logits: ``(B, F, *spatial)``."""
        decoded: list[Tensor] = self.decoder(self.encoder(x))
        return decoded[0]

    @property
    def head(self) -> nn.Module:
        """The head of the finest map."""
        return self.heads[0]

    @property
    def divisor(self) -> Voxels:
        """Sides of the input that are multiples of this are halved without remainder all the way down."""
        return tuple(math.prod(axis) for axis in zip(*self.encoder.strides, strict=True))
