"""The three fully connected layers of AlexNet and VGG."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.grid_pool import GridPool
from medarch.networks.blocks.pool import GlobalPool

Ending = Literal["grid", "global"]


def fully_connected_head(
    plan: NetworkPlan, channels: int, *, grid: int, hidden: int, ending: Ending | None, dropout: float
) -> nn.Sequential:
    """``(B, channels, *spatial)`` → logits ``(B, heads)``.

    Args:
        plan: for ``dim`` and ``heads``.
        channels: of the last map.
        grid: the map is averaged to so many voxels an axis and every one of them has weights of its own.
        hidden: width of the two layers between.
        ending: ``grid``, as published, or ``global``: one mean a channel in place of the grid. Default: grid in 2D,
            global in 3D, where VGG's first layer alone would have 719 million weights.
        dropout: behind both layers.
    """
    ending = ending or ("grid" if plan.dim == 2 else "global")
    layers = OrderedDict[str, nn.Module]()
    if ending == "grid":
        layers["pool"] = GridPool(grid)
        layers["flatten"] = nn.Flatten()
    else:
        layers["pool"] = GlobalPool()
    features = channels * (grid**plan.dim if ending == "grid" else 1)
    for number, width in ((1, features), (2, hidden)):
        layers[f"linear{number}"] = nn.Linear(width, hidden)
        layers[f"activation{number}"] = nn.ReLU(inplace=True)
        layers[f"dropout{number}"] = nn.Dropout(dropout)
    layers["linear3"] = nn.Linear(hidden, plan.heads)
    return nn.Sequential(layers)
