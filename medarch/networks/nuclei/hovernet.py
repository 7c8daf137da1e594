"""HoVerNet: nuclei, distances to their centres, and their types."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pad_same import pad_same
from medarch.networks.dimension import Dim, convolution
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.nuclei.hover_branch import GROUPS, HoverBranch
from medarch.networks.nuclei.nuclei_network import NucleiNetwork
from medarch.networks.nuclei.preactivated_stage import PreactivatedStage

HoverMode = Literal["fast", "original"]
STRIDE = 8
"""Of the deepest map."""
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

    Raises:
        PlanError: the mode is unknown, or the width leaves a fraction of a channel.
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
    ) -> None:
        super().__init__()
        _require_settings(mode, width)
        self.dim, self.types, self.mode, self.padded = dim, types, mode, padded
        widths = [int(width * channels) for channels in _WIDTHS]
        stages: list[nn.Module] = []
        channels = widths[0]
        for number, (features, units) in enumerate(zip(widths, depths, strict=True)):
            stages.append(PreactivatedStage(dim, channels, features, units=units, stride=2 if number else 1))
            channels = 4 * features
        stages[0] = nn.Sequential(
            OrderedDict(stem=_Stem(dim, in_channels, widths[0], padded=mode == "fast"), body=stages[0])
        )
        strides = [(2 if number else 1,) * dim for number in range(len(stages))]
        self.encoder = Encoder(stages, channels=[4 * features for features in widths], strides=strides)
        self.bottleneck = convolution(dim)(channels, channels // 2, 1, bias=False)
        outputs = {"nuclei": 2, "distances": dim} | ({"types": types} if types > 1 else {})
        self.branches = nn.ModuleDict(
            {
                name: HoverBranch(dim, self.encoder.channels[:3], count, kernel=self.kernel, padded=padded)
                for name, count in outputs.items()
            }
        )
        self.apply(initialise_for_relu)

    @property
    def kernel(self) -> int:
        """Of the decoders."""
        return 5 if self.mode == "original" else 3

    @property
    def margin_voxels(self) -> int:
        """What the output lacks at each end of each axis: 46 in the fast, 95 in the original form, 0 if padded."""
        decoder = 0 if self.padded else 23 * (self.kernel - 1)
        return decoder + (_STEM_KERNEL // 2 if self.mode == "original" else 0)

    def window_from(self, side: int) -> int:
        """Return the next multiple of 8, in the original form plus 6."""
        return side + (self._rest - side) % STRIDE

    @property
    def _rest(self) -> int:
        return _STEM_KERNEL - 1 if self.mode == "original" else 0

    def _suiting(self) -> str:
        multiple = f"multiples of {STRIDE}" + (f" plus {self._rest}" if self._rest else "")
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
        plan: dimensions, channels, types.
        mode: see :class:`HoVerNet`.
        padded: see :class:`HoVerNet`; default in 3D, where a margin of 46 voxels would leave little of a volume.
        width: factor for the number of channels.
        depths: units of the encoder's stages.
    """
    padded = plan.dim == 3 if padded is None else padded
    return HoVerNet(plan.dim, plan.in_channels, plan.heads, mode=mode, padded=padded, width=width, depths=tuple(depths))


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
