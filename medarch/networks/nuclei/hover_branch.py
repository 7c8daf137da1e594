"""One of HoVerNet's decoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import Voxels
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.dimension import Dim, convolution
from medarch.networks.nuclei.crop_centre import crop_centre

GROUPS = 4
"""Of the large convolutions of dense units."""


class HoverBranch(nn.Module):
    """From the encoder's maps, the finest first, to ``(B, out, *spatial)`` at the finest map's resolution.

    Each step repeats voxels as often as the encoder's stage has pooled them and adds the encoder's map, cropped to the
    middle: nothing moves.
    Source: Graham et al. 2019, arXiv:1812.06499, figure 2.

    Args:
        dim: spatial dimensions.
        channels: of the three finest maps (256, 512, 1024 as published); the deepest has as many as the third.
        out_channels: of the result.
        kernel: 5 in the paper, 3 in its fast form.
        padded: keep the size of maps; otherwise convolutions are valid and the result is smaller than the image.
        strides: of the encoder's last three stages.
    """

    def __init__(
        self,
        dim: Dim,
        channels: Sequence[int],
        out_channels: int,
        *,
        kernel: int,
        padded: bool,
        strides: Sequence[Voxels],
    ) -> None:
        super().__init__()
        fine, middle, coarse = channels
        convolve, padding = convolution(dim), kernel // 2
        self.strides = tuple(strides)
        self.coarse = _DenseBlock(dim, coarse, middle, units=8, kernel=kernel, padded=padded)
        self.middle = _DenseBlock(dim, middle, fine, units=4, kernel=kernel, padded=padded)
        self.fine = convolve(fine, fine // 4, kernel, padding=padding, bias=False)
        self.norm = normalisation("batch", fine // 4, dim)
        self.head = convolve(fine // 4, out_channels, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the branch's output for four maps, the finest first."""
        x = self.coarse(_merge(maps[3], maps[2], self.strides[2]))
        x = self.middle(_merge(x, maps[1], self.strides[1]))
        x = self.fine(_merge(x, maps[0], self.strides[0]))
        result: Tensor = self.head(F.relu(self.norm(x), inplace=True))
        return result


def _merge(coarse: Tensor, fine: Tensor, stride: Voxels) -> Tensor:
    """Nearest neighbours: with a stride of 2, voxel n of the coarse map becomes voxels 2n and 2n + 1."""
    x = F.interpolate(coarse, scale_factor=tuple(map(float, stride)), mode="nearest")
    return x + crop_centre(fine, x.shape[2:])


class _DenseBlock(nn.Module):
    """Huang et al. 2016, arXiv:1608.06993, with valid convolutions: what went before is cropped to what is new."""

    def __init__(self, dim: Dim, in_channels: int, out_channels: int, *, units: int, kernel: int, padded: bool) -> None:
        super().__init__()
        convolve, padding = convolution(dim), kernel // 2 if padded else 0
        width = in_channels // 4
        growth = (out_channels - width) // units
        self.reduce = convolve(in_channels, width, kernel, padding=padding, bias=False)
        self.units = nn.ModuleList(
            _DenseUnit(dim, width + number * growth, growth, kernel=kernel, padding=padding) for number in range(units)
        )
        self.norm = normalisation("batch", out_channels, dim)
        self.mix = convolve(out_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        for unit in self.units:
            new = unit(x)
            x = torch.cat([crop_centre(x, new.shape[2:]), new], dim=1)
        mixed: Tensor = self.mix(F.relu(self.norm(x), inplace=True))
        return mixed


class _DenseUnit(nn.Module):
    def __init__(self, dim: Dim, in_channels: int, growth: int, *, kernel: int, padding: int) -> None:
        super().__init__()
        convolve, width = convolution(dim), 4 * growth
        self.norm0 = normalisation("batch", in_channels, dim)
        self.conv1 = convolve(in_channels, width, 1, bias=False)
        self.norm1 = normalisation("batch", width, dim)
        self.conv2 = convolve(width, growth, kernel, padding=padding, groups=GROUPS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm0(x), inplace=True)
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        new: Tensor = self.conv2(x)
        return new
