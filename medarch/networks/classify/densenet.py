"""DenseNet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.activation import activation
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.dense import DenseBlock, Transition
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import stage_geometry


def densenet_encoder(
    plan: NetworkPlan, *, depths: Sequence[int], growth: int = 32, stem: int = 64, stem_kernel: int = 7
) -> Encoder:
    """Return the five stages of a DenseNet-BC (Huang et al. 2016, arXiv:1608.06993, table 1).

    Own code, because MONAI's takes no strides; it is the oracle in ``tests/networks``. A last voxel that the average
    pooling has no partner for is kept (MONAI and torchvision drop it, so that a volume one slice thick fails there).

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        depths: layers of the four dense blocks.
        growth: channels that each layer adds.
        stem: channels of the first convolution.
        stem_kernel: of the first convolution.
    """
    geometries = stage_geometry(plan, (2, 2, 2, 2, 2))
    first = geometries[0]
    stages: list[nn.Module] = [ConvNormActivation(plan.in_channels, stem, first.kernel(stem_kernel), first.stride)]
    channels = [stem]
    for number, geometry in enumerate(geometries[1:], 1):
        layers = OrderedDict[str, nn.Module]()
        inside = channels[-1]
        if number == 1 and geometry.stride != geometry.one:
            layers["pool"] = MaxPool(tuple(3 if step > 1 else 1 for step in geometry.stride), geometry.stride)
        if number > 1:
            layers["transition"] = Transition(inside, inside // 2, geometry)
            inside //= 2
        layers["dense"] = block = DenseBlock(inside, depths[number - 1], growth, geometry.within)
        if number == len(geometries) - 1:
            layers["norm"] = normalisation("batch", block.channels, plan.dim)
            layers["activation"] = activation("relu")
        stages.append(nn.Sequential(layers))
        channels.append(block.channels)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)
