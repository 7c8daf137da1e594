"""VGG-11, 13, 16 and 19, with and without batch normalisation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.classifier import Classifier
from medarch.networks.classify.fully_connected_head import Ending, fully_connected_head
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import stage_geometry

WIDTHS = (64, 128, 256, 512, 512)
GRID = 7


def vgg_encoder(plan: NetworkPlan, *, depths: Sequence[int], norm: str = "none", width: float = 1.0) -> Encoder:
    """Return the six stages of a VGG (Simonyan & Zisserman 2014, arXiv:1409.1556, table 1).

    Convolutions have biases even where a batch normalisation takes them out again: torchvision's weight files hold
    them. The first stage has stride 1, the others begin with a max-pooling, and the sixth is nothing but one.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        depths: convolutions of each stage.
        norm: ``none`` or ``batch``.
        width: multiplier of all channels.
    """
    geometries = stage_geometry(plan, (1, 2, 2, 2, 2, 2))
    stages, channels, inside = [], [], plan.in_channels
    for number, geometry in enumerate(geometries):
        layers = OrderedDict[str, nn.Module]()
        if geometry.stride != geometry.one:
            layers["pool"] = MaxPool(geometry.stride, geometry.stride)
        for index in range(depths[number] if number < len(WIDTHS) else 0):
            features = max(1, round(width * WIDTHS[number]))
            layers[str(index)] = ConvNormActivation(inside, features, geometry.kernel(3), norm=norm, bias=True)
            inside = features
        stages.append(nn.Sequential(layers))
        channels.append(inside)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)


def vgg(
    plan: NetworkPlan, encoder: Encoder, *, hidden: int = 4096, ending: Ending | None = None, dropout: float = 0.5
) -> Classifier:
    """Return ``encoder`` with VGG's three fully connected layers; see :func:`fully_connected_head`."""
    head = fully_connected_head(plan, encoder.channels[-1], grid=GRID, hidden=hidden, ending=ending, dropout=dropout)
    return Classifier(encoder, head)
