"""Give an encoder that begins with a stride a first map at full resolution, for segmentation."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.networks.encoder import Encoder


class FullResolution(Encoder):
    """An encoder with one more map before its own: ``stem(image)``, stride 1.

    The stem is a side way, as in the U-Nets of smp and MONAI's FlexibleUNet have none and end in an interpolation: the
    encoder itself still sees the image, so that its pretrained weights fit.
    """

    def __init__(self, encoder: Encoder, stem: nn.Module, *, width: int) -> None:
        """Put ``stem``, ``(B, C, *spatial)`` → ``(B, width, *spatial)``, beside ``encoder``."""
        one = (1,) * len(encoder.strides[0])
        super().__init__((), channels=(width, *encoder.channels), strides=(one, *encoder.strides))
        self.stem = stem
        self.encoder = encoder

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the stem's map and the encoder's."""
        return [self.stem(x), *self.encoder(x)]
