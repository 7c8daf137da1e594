"""MobileNet."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.depthwise_separable import DepthwiseSeparable
from medarch.networks.blocks.divisible_by_8 import divisible_by_8
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import stage_geometry

STEM = 32
STAGES = ((64, 128, 128), (256, 256), (512,) * 6, (1024,) * 2)
"""Widths of the blocks. The first stage begins with a block without stride."""


def mobilenet_v1_encoder(plan: NetworkPlan, *, width: float = 1.0, activation: str = "relu6") -> Encoder:
    """Return the five stages (Howard et al. 2017, arXiv:1704.04861, table 1).

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        width: the paper's α.
        activation: ReLU6, as in the authors' code.
    """
    geometries = stage_geometry(plan, (2, 2, 2, 2, 2))
    inside, first = divisible_by_8(STEM * width), geometries[0]
    stages: list[nn.Module] = [
        ConvNormActivation(plan.in_channels, inside, first.kernel(3), first.stride, activation=activation)
    ]
    channels = [inside]
    for number, geometry in enumerate(geometries[1:], 1):
        strided = 1 if number == 1 else 0
        blocks = []
        for index, features in enumerate(STAGES[number - 1]):
            place = geometry if index == strided else geometry.within
            blocks.append(DepthwiseSeparable(inside, divisible_by_8(features * width), place, activation=activation))
            inside = divisible_by_8(features * width)
        stages.append(nn.Sequential(*blocks))
        channels.append(inside)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)
