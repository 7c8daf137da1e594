"""HoVerNet: nuclei, distances to their centres, and their types."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pad_same import pad_same
from medarch.networks.dimension import Dim, convolution
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.nuclei.hover_branch import GROUPS, HoverBranch
from medarch.networks.nuclei.nuclei_network import NucleiNetwork
from medarch.networks.nuclei.preactivated_stage import PreactivatedStage

HoverMode = Literal["fast", "original"]
STAGES = 4
_WIDTHS = (64, 128, 256, 512)
_STEM_KERNEL = 7


class HoVerNet(NucleiNetwork):
    """See :class:`~medarch.networks.nuclei.nuclei_network.NucleiNetwork` for what goes in and comes out.

    Source: Graham, Vu, Raza, Azam, Tsang, Kwak, Rajpoot 2019, arXiv:1812.06499; ``fast`` and the paddings as in its
    authors' code, whose weights fit (``networks/weights``).

    Args:
        dim: 2 as published, or 3.
        in_channels: of the image.
        types: outputs of the third decoder, background among them; 1: there is no third decoder.
        mode: ``original`` (5×5 kernels, a first convolution without padding) or ``fast`` (3×3).
        padded: decoders keep the size, so that the output is as large as the window (as the authors did for CoNIC).
        width: factor for the number of channels.
        depths: units of the encoder's four stages.
        strides: of the encoder's four stages, the first of ones; empty: 2 along every axis. Of volumes whose voxels are
            longer along one axis, that axis is pooled later.

    Raises:
        PlanError: the mode is unknown, the width leaves a fraction of a channel, or the strides do not suit.
    """

    name = "HoVerNet"

    def __init__(
        self,
        dim: Dim,
        in_channels: int,
        types: int,
        *,
        mode: HoverMode = "fast",
        padded: bool = False,
        width: float = 1.0,
        depths: Sequence[int] = (3, 4, 6, 3),
        strides: Sequence[Voxels] = (),
    ) -> None:
        super().__init__()
        _require_settings(mode, width)
        strides = tuple(strides) or ((1,) * dim, *((2,) * dim,) * (STAGES - 1))
        _require_strides(strides, dim, padded=padded)
        self.dim, self.types, self.mode, self.padded = dim, types, mode, padded
        self.strides = strides
        widths = [int(width * channels) for channels in _WIDTHS]
        stages: list[nn.Module] = []
        channels = widths[0]
        for number, (features, units) in enumerate(zip(widths, depths, strict=True)):
            stages.append(PreactivatedStage(dim, channels, features, units=units, stride=strides[number]))
            channels = 4 * features
        stages[0] = nn.Sequential(
            OrderedDict(stem=_Stem(dim, in_channels, widths[0], padded=mode == "fast"), body=stages[0])
        )
        self.encoder = Encoder(stages, channels=[4 * features for features in widths], strides=strides)
        self.bottleneck = convolution(dim)(channels, channels // 2, 1, bias=False)
        outputs = {"nuclei": 2, "distances": dim} | ({"types": types} if types > 1 else {})
        self.branches = nn.ModuleDict(
            {
                name: HoverBranch(
                    dim, self.encoder.channels[:3], count, kernel=self.kernel, padded=padded, strides=strides[1:]
                )
                for name, count in outputs.items()
            }
        )
        self.apply(initialise_for_relu)

    @property
    def kernel(self) -> int:
        """Of the decoders."""
        return 5 if self.mode == "original" else 3

    @property
    def divisor(self) -> Voxels:
        """Along each axis: how many voxels of the window the deepest map has one for."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))

    @property
    def margin_voxels(self) -> int:
        """What the output lacks at each end of each axis: 46 in the fast, 95 in the original form, 0 if padded."""
        decoder = 0 if self.padded else 23 * (self.kernel - 1)
        return decoder + (_STEM_KERNEL // 2 if self.mode == "original" else 0)

    def window_from(self, side: int, axis: int = -1) -> int:
        """Return the next multiple of 8, or of what the strides of that axis make; in the original form plus 6."""
        return side + (self._rest - side) % self.divisor[axis]

    @property
    def _rest(self) -> int:
        return _STEM_KERNEL - 1 if self.mode == "original" else 0

    def _suiting(self) -> str:
        steps = "×".join(map(str, self.divisor)) if len(set(self.divisor)) > 1 else str(self.divisor[0])
        multiple = f"multiples of {steps}" + (f" plus {self._rest}" if self._rest else "")
        return f"{multiple}, more than {2 * self.margin_voxels} along each axis"

    def forward(self, x: Tensor) -> Tensor:
        """Return logits and distances."""
        self.output_voxels(x.shape[2:])
        maps = self.encoder(x)
        maps[-1] = self.bottleneck(maps[-1])
        return torch.cat([branch(maps) for branch in self.branches.values()], dim=1)


def hovernet(
    plan: NetworkPlan,
    *,
    mode: HoverMode = "fast",
    padded: bool | None = None,
    width: float = 1.0,
    depths: Sequence[int] = (3, 4, 6, 3),
) -> HoVerNet:
    """Return a HoVerNet; ``heads`` of the plan are the types, background among them, 1 for none.

    Args:
        plan: dimensions, channels, types, and strides if they are not 2 along every axis.
        mode: see :class:`HoVerNet`.
        padded: see :class:`HoVerNet`; default in 3D, where a margin of 46 voxels would leave little of a volume.
        width: factor for the number of channels.
        depths: units of the encoder's stages.
    """
    padded = plan.dim == 3 if padded is None else padded
    return HoVerNet(
        plan.dim,
        plan.in_channels,
        plan.heads,
        mode=mode,
        padded=padded,
        width=width,
        depths=tuple(depths),
        strides=plan.strides,
    )


class _Stem(nn.Module):
    def __init__(self, dim: Dim, in_channels: int, width: int, *, padded: bool) -> None:
        super().__init__()
        self.padded = padded
        self.conv = convolution(dim)(in_channels, width, _STEM_KERNEL, bias=False)
        self.norm = normalisation("batch", width, dim)

    def forward(self, x: Tensor) -> Tensor:
        if self.padded:
            x = pad_same(x, _STEM_KERNEL, 1)
        return F.relu(self.norm(self.conv(x)), inplace=True)


def _require_settings(mode: str, width: float) -> None:
    if mode not in ("fast", "original"):
        raise PlanError(f"HoVerNet has no mode {mode!r}", expected="fast, original", fix="correct network.options")
    growth = width * _WIDTHS[0] / 2
    if growth < GROUPS or growth % GROUPS:
        raise PlanError(
            "HoVerNet cannot be so wide",
            expected=f"a multiple of {2 * GROUPS / _WIDTHS[0]}",
            found=str(width),
            fix="correct width in network.options",
        )


def _require_strides(strides: Sequence[Voxels], dim: int, *, padded: bool) -> None:
    ones, twos = (1,) * dim, (2,) * dim
    fits = len(strides) == STAGES and tuple(strides[0]) == ones and all(len(stride) == dim for stride in strides)
    # Valid decoders crop by numbers of voxels that hold for strides of 2 alone.
    if not fits or not (padded or all(tuple(stride) == twos for stride in strides[1:])):
        raise PlanError(
            "the strides do not suit HoVerNet",
            expected=f"{STAGES} of {dim} numbers each, the first of ones, and without padded decoders only 2 after it",
            found=str(list(strides)),
            fix="correct network.strides, or set padded: true in network.options",
        )
