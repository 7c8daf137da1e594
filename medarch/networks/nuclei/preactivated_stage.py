"""A stage of the pre-activated ResNet that HoVerNet's encoder is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import Voxels
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pad_same import pad_same
from medarch.networks.dimension import Dim, convolution


class PreactivatedStage(nn.Module):
    """Bottleneck units on a running sum: ``(B, in, *spatial)`` → ``(B, 4 · width, *ceil(spatial / stride))``.

    The first unit has no normalisation of its own before it, because the stage before it ends in one.

    Sources: He, Zhang, Ren, Sun 2016, arXiv:1603.05027 (pre-activation); Graham et al. 2019, arXiv:1812.06499, with
    the padding of its authors' code.
    """

    def __init__(self, dim: Dim, in_channels: int, width: int, *, units: int, stride: Voxels) -> None:
        super().__init__()
        channels = 4 * width
        self.units = nn.ModuleList(
            _Unit(
                dim,
                channels if number else in_channels,
                width,
                stride=(1,) * dim if number else stride,
                first=number == 0,
            )
            for number in range(units)
        )
        self.shortcut = convolution(dim)(in_channels, channels, 1, stride, bias=False)  # type: ignore[arg-type]
        self.norm = normalisation("batch", channels, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stage's map."""
        total = self.shortcut(x)
        for number, unit in enumerate(self.units):
            total = total + unit(total if number else x)
        return F.relu(self.norm(total), inplace=True)


class _Unit(nn.Module):
    def __init__(self, dim: Dim, in_channels: int, width: int, *, stride: Voxels, first: bool) -> None:
        super().__init__()
        convolve = convolution(dim)
        self.stride = stride
        self.norm0 = None if first else normalisation("batch", in_channels, dim)
        self.conv1 = convolve(in_channels, width, 1, bias=False)
        self.norm1 = normalisation("batch", width, dim)
        self.conv2 = convolve(width, width, 3, stride, bias=False)  # type: ignore[arg-type]
        self.norm2 = normalisation("batch", width, dim)
        self.conv3 = convolve(width, 4 * width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.norm0 is not None:
            x = F.relu(self.norm0(x), inplace=True)
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        x = F.relu(self.norm2(self.conv2(pad_same(x, 3, self.stride))), inplace=True)
        added: Tensor = self.conv3(x)
        return added
