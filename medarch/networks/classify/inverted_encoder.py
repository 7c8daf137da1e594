"""Encoders made of inverted bottlenecks: MobileNetV2, EfficientNet, EfficientNetV2."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.inverted_bottleneck import InvertedBottleneck, InvertedStyle
from medarch.networks.blocks.pool import GlobalPool
from medarch.networks.classifier import Classifier
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import stage_geometry


@dataclass(frozen=True)
class Row:
    """One line of the table of a paper: ``count`` blocks, of which the first has the stride."""

    style: InvertedStyle
    features: int
    count: int
    stride: int


def inverted_encoder(plan: NetworkPlan, rows: Sequence[Row], *, stem: int, drop: float) -> Encoder:
    """Return five stages: the stem, and one for each row with a stride.

    Rows without a stride belong to the stage before; the first of all, which comes before any strided row, to the
    first stage behind the stem.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        rows: the table.
        stem: channels of the first convolution.
        drop: probability that training leaves out the branch of the last block; rises linearly from 0.
    """
    total = sum(row.count for row in rows)
    groups = _groups(rows)
    geometries = stage_geometry(plan, (2,) * (len(groups) + 1))
    style = rows[0].style
    stages: list[nn.Module] = [
        ConvNormActivation(
            plan.in_channels,
            stem,
            geometries[0].kernel(3),
            geometries[0].stride,
            eps=style.eps,
            activation=style.activation,
        )
    ]
    channels, inside, done = [stem], stem, 0
    for group, geometry in zip(groups, geometries[1:], strict=False):
        layers = OrderedDict[str, nn.Module]()
        for row in group:
            for index in range(row.count):
                place = geometry if row.stride > 1 and index == 0 else geometry.within
                dropped = replace(row.style, drop=drop * done / total)
                layers[str(len(layers))] = InvertedBottleneck(inside, row.features, dropped, place)
                inside, done = row.features, done + 1
        stages.append(nn.Sequential(layers))
        channels.append(inside)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    groups: list[list[Row]] = [[]]
    for row in rows:
        if row.stride > 1 and any(before.stride > 1 for before in groups[-1]):
            groups.append([])
        groups[-1].append(row)
    return groups


def widened_classifier(
    plan: NetworkPlan, encoder: Encoder, *, features: int, style: InvertedStyle, dropout: float
) -> Classifier:
    """Return ``encoder``, a 1×1 convolution to ``features`` channels, pooling, dropout and a linear layer."""
    widen = ConvNormActivation(
        encoder.channels[-1], features, (1,) * plan.dim, eps=style.eps, activation=style.activation
    ).apply(initialise_for_relu)
    head = OrderedDict[str, nn.Module](
        widen=widen, pool=GlobalPool(), dropout=nn.Dropout(dropout), linear=nn.Linear(features, plan.heads)
    )
    return Classifier(encoder, nn.Sequential(head))
