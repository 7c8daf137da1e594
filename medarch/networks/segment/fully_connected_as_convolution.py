"""The step from a classifier of one crop to a map of classifications."""

from __future__ import annotations

import math

from torch import nn

from medarch.core.errors import PlanError
from medarch.core.plan import Voxels
from medarch.networks.blocks.convolve import convolve
from medarch.networks.without_weights import without_weights


def fully_connected_as_convolution(layer: nn.Linear, *, map_size: Voxels) -> nn.Module:
    """Return the convolution that gives, at the middle of a map of ``map_size``, what ``layer`` gives of that map.

    Source: Shelhamer, Long, Darrell 2017, arXiv:1605.06211, section 3.1. Weights are shared with the layer.

    Args:
        layer: takes the flattened map, ``channels × map_size``.
        map_size: odd along each axis, so that the convolution keeps sizes and has a middle.

    Raises:
        PlanError: the layer does not take maps of that size.
    """
    voxels = math.prod(map_size)
    if layer.in_features % voxels or any(side % 2 == 0 for side in map_size):
        raise PlanError(
            "a fully connected layer cannot become this convolution",
            expected=f"odd sides whose product divides {layer.in_features}",
            found="×".join(map(str, map_size)),
            fix="give the size of the feature map that the classifier flattens",
        )
    channels, out = layer.in_features // voxels, layer.out_features
    with without_weights():
        made = convolve(channels, out, map_size, bias=layer.bias is not None)
    made.weight = nn.Parameter(layer.weight.detach().view(out, channels, *map_size))
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.detach())
    return made
