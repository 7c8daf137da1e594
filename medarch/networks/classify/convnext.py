"""ConvNeXt-T, S, B and L."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.convnext import ConvNeXtBlock
from medarch.networks.blocks.layer_norm import ChannelLayerNorm
from medarch.networks.blocks.patch_convolution import PatchConvolution
from medarch.networks.blocks.pool import GlobalPool
from medarch.networks.classifier import Classifier
from medarch.networks.encoder import Encoder
from medarch.networks.stage_geometry import stage_geometry

STEM_SIZE, STEP_SIZE = 4, 2


def convnext_encoder(plan: NetworkPlan, *, depths: Sequence[int], widths: Sequence[int], drop: float = 0.1) -> Encoder:
    """Return the four stages of a ConvNeXt (Liu et al. 2022, arXiv:2201.03545, table 9); the first has stride 4.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        depths: blocks of each stage.
        widths: channels of each stage.
        drop: stochastic depth of the last block; rises linearly from 0.
    """
    geometries = stage_geometry(plan, (4, 2, 2, 2))
    stages, inside, done = [], plan.in_channels, 0
    for number, (geometry, depth, width) in enumerate(zip(geometries, depths, widths, strict=False)):
        layers = OrderedDict[str, nn.Module]()
        if number == 0:
            layers["down"] = PatchConvolution(inside, width, STEM_SIZE, geometry)
            layers["norm"] = ChannelLayerNorm(width)
        else:
            layers["norm"] = ChannelLayerNorm(inside)
            layers["down"] = PatchConvolution(inside, width, STEP_SIZE, geometry)
        for index in range(depth):
            rate = drop * done / max(1, sum(depths) - 1)
            layers[str(index)] = ConvNeXtBlock(width, geometry.within, drop=rate)
            done += 1
        stages.append(nn.Sequential(layers))
        inside = width
    encoder = Encoder(stages, channels=widths[: len(stages)], strides=[geometry.stride for geometry in geometries])
    return encoder.apply(_initialise)


def convnext(plan: NetworkPlan, encoder: Encoder) -> Classifier:
    """Return ``encoder``, global average pooling, layer norm and a linear layer."""
    features = encoder.channels[-1]
    head = OrderedDict[str, nn.Module](
        pool=GlobalPool(), norm=nn.LayerNorm(features, eps=1e-6), linear=nn.Linear(features, plan.heads)
    )
    return Classifier(encoder, nn.Sequential(head).apply(_initialise))


def _initialise(module: nn.Module) -> None:
    """The authors' code, whose normal distribution is cut at a hundred deviations; torch's cut one needs real data."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
