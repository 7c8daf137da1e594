"""MONAI's HoVerNet, for comparison."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.nuclei.hovernet import HoverMode
from medarch.networks.nuclei.nuclei_network import NucleiNetwork

_WINDOWS = {"fast": 256, "original": 270}
_MARGINS = {"fast": 46, "original": 95}


class MonaiHoVerNet(NucleiNetwork):
    """:class:`monai.networks.nets.HoVerNet` as it is, its outputs put together.

    Its encoder pads evenly and drops the last row and column, so that stages two to four look 1.5, 4.5 and 10.5 pixels
    to the upper left of where the decoder puts them (``tests/networks/nuclei/test_hovernet.py``); it takes windows of
    one size. Its padded decoders leave the skip connections out, so they are not offered.

    Args:
        in_channels: of the image.
        types: outputs of the third decoder, background among them; 1: there is no third decoder.
        mode: ``fast`` or ``original``.
    """

    name = "MONAI's HoVerNet"

    def __init__(self, in_channels: int, types: int, *, mode: HoverMode = "fast") -> None:
        super().__init__()
        from monai.networks.nets.hovernet import HoVerNet

        if mode not in _WINDOWS:
            raise PlanError(
                f"{self.name} has no mode {mode!r}", expected="fast, original", fix="correct network.options"
            )
        self.mode = mode
        self.network = HoVerNet(mode=mode, in_channels=in_channels, out_classes=types if types > 1 else 0)

    @property
    def margin_voxels(self) -> int:
        """46 in the fast, 95 in the original form."""
        return _MARGINS[self.mode]

    def window_from(self, side: int, axis: int = -1) -> int:
        """Return the only side it takes."""
        return _WINDOWS[self.mode]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits and distances."""
        self.output_voxels(x.shape[2:])
        found = self.network(x)
        order = ("nucleus_prediction", "horizontal_vertical", "type_prediction")
        return torch.cat([found[branch] for branch in order if branch in found], dim=1)

    def _suiting(self) -> str:
        return f"{_WINDOWS[self.mode]} along each axis"


def monai_hovernet(plan: NetworkPlan, *, mode: HoverMode = "fast") -> MonaiHoVerNet:
    """Return MONAI's HoVerNet; ``heads`` of the plan are the types, background among them, 1 for none.

    Args:
        plan: channels, types.
        mode: see :class:`MonaiHoVerNet`.
    """
    return MonaiHoVerNet(plan.in_channels, plan.heads, mode=mode)
