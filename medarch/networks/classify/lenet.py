"""LeNet-5, of today's textbooks."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.activation import activation as activation_named
from medarch.networks.blocks.grid_pool import GridPool
from medarch.networks.blocks.pad_to import PadTo
from medarch.networks.blocks.pool import AveragePool
from medarch.networks.dimension import convolution
from medarch.networks.stage_geometry import StageGeometry, stage_geometry

GRID = 5
"""Voxels an axis before the first fully connected layer."""


def lenet(plan: NetworkPlan, *, activation: str = "tanh") -> nn.Sequential:
    """Return LeNet-5 with fully wired convolutions, average pooling and a linear output.

    ``(B, C, *spatial)`` → logits ``(B, heads)``. After LeCun et al. 1998, doi:10.1109/5.726791, figure 2, in the form
    in which it is taught: an image of 28×28 is padded by 2. Images of other sizes are averaged to 5 voxels an axis
    before the fully connected layers. ``strides`` are those of the two poolings.
    """
    first, second = stage_geometry(plan, (2, 2))
    return nn.Sequential(
        PadTo(tuple(4 * step + 1 for step in first.stride)),
        _conv(plan, plan.in_channels, 6, first, padding=2),
        activation_named(activation),
        AveragePool(first.stride),
        _conv(plan, 6, 16, second, padding=0),
        activation_named(activation),
        AveragePool(second.stride),
        GridPool(GRID),
        nn.Flatten(),
        nn.Linear(16 * GRID**plan.dim, 120),
        activation_named(activation),
        nn.Linear(120, 84),
        activation_named(activation),
        nn.Linear(84, plan.heads),
    )


def _conv(
    plan: NetworkPlan, in_channels: int, out_channels: int, geometry: StageGeometry, *, padding: int
) -> nn.Module:
    pad = tuple(0 if flat else padding for flat in geometry.flat)
    return convolution(plan.dim)(in_channels, out_channels, geometry.kernel(5), padding=pad)  # type: ignore[arg-type]
