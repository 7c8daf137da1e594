"""Convolution and leaky ReLU."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import Voxels
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation

SLOPE = 0.2


class LeakyConvolution(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``; the block of VoxelMorph.

    Without normalisation, as there: intensities of the two images are to be compared, not each one's contrast. With
    one, it stands between convolution and activation.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Voxels, stride: Voxels | None = None, *, norm: str = "none"
    ) -> None:
        layers: list[nn.Module] = [convolve(in_channels, out_channels, kernel, stride, bias=True)]
        nn.init.kaiming_normal_(layers[0].weight, a=SLOPE)  # type: ignore[arg-type]
        nn.init.zeros_(layers[0].bias)  # type: ignore[arg-type]
        if norm != "none":
            layers.append(normalisation(norm, out_channels, len(kernel)))
        super().__init__(*layers, nn.LeakyReLU(SLOPE, inplace=True))
