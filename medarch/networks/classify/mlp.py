"""The multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.activation import activation as activation_named
from medarch.networks.blocks.grid_pool import GridPool


def mlp(
    plan: NetworkPlan, *, hidden: Sequence[int] = (300,), grid: int = 28, activation: str = "sigmoid"
) -> nn.Sequential:
    """Return fully connected layers on all voxels (Rumelhart et al. 1986, doi:10.1038/323533a0).

    ``(B, C, *spatial)`` → logits ``(B, heads)``. 784-300-10 is the network of LeCun et al. 1998, section III.C.5.

    Args:
        plan: for ``dim``, ``in_channels``, ``heads``.
        hidden: widths of the layers between.
        grid: the image is averaged to so many voxels an axis; one that has them already is taken as it is.
        activation: between layers.
    """
    layers: list[nn.Module] = [GridPool(grid), nn.Flatten()]
    width = plan.in_channels * grid**plan.dim
    for features in hidden:
        layers += [nn.Linear(width, features), activation_named(activation)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, plan.heads))
