"""The three residual blocks of ResNet, with or without squeeze-and-excitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from medarch.networks.blocks.activation import activation
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.squeeze_excitation import SqueezeExcitation
from medarch.networks.stage_geometry import StageGeometry

Kind = Literal["basic", "bottleneck", "preactivation"]
EXPANSION = {"basic": 1, "bottleneck": 4, "preactivation": 1}
"""Output channels of a block for each of its width."""


@dataclass(frozen=True)
class ResidualStyle:
    """What the blocks of one network have in common."""

    kind: Kind = "basic"
    norm: str = "batch"
    reduction: int | None = None
    """Of the squeeze-and-excitation before the sum; None for none."""


def residual(style: ResidualStyle, in_channels: int, width: int, geometry: StageGeometry) -> nn.Module:
    """Return a block: ``(B, in, *spatial)`` → ``(B, width * EXPANSION[kind], *ceil(spatial / stride))``."""
    kinds: dict[str, type[BasicBlock | BottleneckBlock | PreactivationBlock]] = {
        "basic": BasicBlock,
        "bottleneck": BottleneckBlock,
        "preactivation": PreactivationBlock,
    }
    return kinds[style.kind](style, in_channels, width, geometry)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al. 2015, arXiv:1512.03385, figure 5 left)."""

    def __init__(self, style: ResidualStyle, in_channels: int, width: int, geometry: StageGeometry) -> None:
        super().__init__()
        dim = len(geometry.stride)
        self.conv1 = convolve(in_channels, width, geometry.kernel(3), geometry.stride)
        self.norm1 = normalisation(style.norm, width, dim)
        self.conv2 = convolve(width, width, geometry.kernel(3))
        self.norm2 = normalisation(style.norm, width, dim)
        self.gate = _gate(style, width)
        self.shortcut = _shortcut(style, in_channels, width, geometry)
        self.activation = activation("relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inside = self.activation(self.norm1(self.conv1(x)))
        inside = self.gate(self.norm2(self.conv2(inside)))
        return self.activation(inside + self.shortcut(x))  # type: ignore[no-any-return]


class BottleneckBlock(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut (arXiv:1512.03385, figure 5 right).

    The stride is that of the 3×3 convolution, as in torchvision and every weight file of it (ResNet "v1.5"); the paper
    has it in the first 1×1.
    """

    def __init__(self, style: ResidualStyle, in_channels: int, width: int, geometry: StageGeometry) -> None:
        super().__init__()
        dim, out = len(geometry.stride), width * EXPANSION["bottleneck"]
        self.conv1 = convolve(in_channels, width, geometry.one)
        self.norm1 = normalisation(style.norm, width, dim)
        self.conv2 = convolve(width, width, geometry.kernel(3), geometry.stride)
        self.norm2 = normalisation(style.norm, width, dim)
        self.conv3 = convolve(width, out, geometry.one)
        self.norm3 = normalisation(style.norm, out, dim)
        self.gate = _gate(style, out)
        self.shortcut = _shortcut(style, in_channels, out, geometry)
        self.activation = activation("relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inside = self.activation(self.norm1(self.conv1(x)))
        inside = self.activation(self.norm2(self.conv2(inside)))
        inside = self.gate(self.norm3(self.conv3(inside)))
        return self.activation(inside + self.shortcut(x))  # type: ignore[no-any-return]


class PreactivationBlock(nn.Module):
    """Norm and activation before each convolution; the sum stays as it is (He et al. 2016, arXiv:1603.05027)."""

    def __init__(self, style: ResidualStyle, in_channels: int, width: int, geometry: StageGeometry) -> None:
        super().__init__()
        dim = len(geometry.stride)
        self.norm1 = normalisation(style.norm, in_channels, dim)
        self.conv1 = convolve(in_channels, width, geometry.kernel(3), geometry.stride)
        self.norm2 = normalisation(style.norm, width, dim)
        self.conv2 = convolve(width, width, geometry.kernel(3))
        self.gate = _gate(style, width)
        self.projection = (
            convolve(in_channels, width, geometry.one, geometry.stride)
            if in_channels != width or geometry.stride != geometry.one
            else None
        )
        self.activation = activation("relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        ready = self.activation(self.norm1(x))
        # A shortcut that changes the shape starts behind the first activation (section 4.1 and the authors' code).
        shortcut = x if self.projection is None else self.projection(ready)
        inside = self.conv2(self.activation(self.norm2(self.conv1(ready))))
        return self.gate(inside) + shortcut  # type: ignore[no-any-return]


def _gate(style: ResidualStyle, channels: int) -> nn.Module:
    if style.reduction is None:
        return nn.Identity()
    return SqueezeExcitation(channels, max(1, channels // style.reduction))


def _shortcut(style: ResidualStyle, in_channels: int, out_channels: int, geometry: StageGeometry) -> nn.Module:
    """The projection of option B: where the shape changes, and only there."""
    if in_channels == out_channels and geometry.stride == geometry.one:
        return nn.Identity()
    return nn.Sequential(
        convolve(in_channels, out_channels, geometry.one, geometry.stride),
        normalisation(style.norm, out_channels, len(geometry.stride)),
    )
