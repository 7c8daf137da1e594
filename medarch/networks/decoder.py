"""The second contract: feature maps become finer feature maps; the third, a head, turns one into logits."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from medarch.core.plan import Voxels


class Decoder(nn.Module):
    """Built from ``encoder.channels`` and ``encoder.strides``; knows nothing else of the encoder.

    Takes the encoder's list, finest first. Returns decoded maps, finest first, of the sizes of the encoder's maps from
    the first on: map ``n`` has ``channels[n]`` channels. A subclass sets :attr:`channels`.
    """

    channels: tuple[int, ...]

    def __init__(self, encoder_channels: Sequence[int], encoder_strides: Sequence[Voxels]) -> None:
        super().__init__()
        self.encoder_channels: tuple[int, ...] = tuple(encoder_channels)
        self.encoder_strides: tuple[Voxels, ...] = tuple(encoder_strides)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return decoded maps, finest first."""
        raise NotImplementedError
