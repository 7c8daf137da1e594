"""Normalisation layers by name."""

from __future__ import annotations

from torch import nn

from medarch.core.errors import PlanError
from medarch.networks.blocks.layer_norm import ChannelLayerNorm
from medarch.networks.instance_norm import InstanceNorm

NORMALISATIONS = ("batch", "instance", "group", "layer", "none")
CHANNELS_PER_GROUP = 16
"""Wu & He 2018 (arXiv:1803.08494), table 3: 16 channels a group is best or close to it."""


def normalisation(name: str, channels: int, dim: int, *, eps: float = 1e-5) -> nn.Module:
    """Return a normalisation of ``(B, channels, *spatial)`` with scale and shift.

    Args:
        name: one of :data:`NORMALISATIONS`; ``group`` has groups of about 16 channels.
        channels: of the input.
        dim: spatial dimensions.
        eps: added to the variance.

    Raises:
        PlanError: no such normalisation.
    """
    match name:
        case "batch":
            return (nn.BatchNorm3d if dim == 3 else nn.BatchNorm2d)(channels, eps=eps)
        case "instance":
            return InstanceNorm(channels, eps=eps)
        case "group":
            return nn.GroupNorm(_groups(channels), channels, eps=eps)
        case "layer":
            return ChannelLayerNorm(channels, eps=eps)
        case "none":
            return nn.Identity()
    raise PlanError(f"unknown normalisation {name!r}", expected=", ".join(NORMALISATIONS), found=name)


def _groups(channels: int) -> int:
    wanted = max(1, channels // CHANNELS_PER_GROUP)
    return next(groups for groups in range(wanted, 0, -1) if channels % groups == 0)
