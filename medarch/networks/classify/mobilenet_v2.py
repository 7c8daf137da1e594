"""MobileNetV2."""

from __future__ import annotations

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.divisible_by_8 import divisible_by_8
from medarch.networks.blocks.inverted_bottleneck import InvertedStyle
from medarch.networks.classifier import Classifier
from medarch.networks.classify.inverted_encoder import Row, inverted_encoder, widened_classifier
from medarch.networks.encoder import Encoder

TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride: table 2 of the paper."""
STEM, LAST = 32, 1280
STYLE = InvertedStyle(expansion=1, squeeze=False, activation="relu6")


def mobilenet_v2_encoder(plan: NetworkPlan, *, width: float = 1.0, depth: float = 1.0) -> Encoder:
    """Return the five stages (Sandler et al. 2018, arXiv:1801.04381, table 2).

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        width: multiplier of all channels.
        depth: multiplier of the number of blocks.
    """
    rows = [
        Row(
            InvertedStyle(expansion=expansion, squeeze=False, activation="relu6"),
            divisible_by_8(features * width),
            max(1, round(count * depth)),
            stride,
        )
        for expansion, features, count, stride in TABLE
    ]
    return inverted_encoder(plan, rows, stem=divisible_by_8(STEM * width), drop=0.0)


def mobilenet_v2(plan: NetworkPlan, encoder: Encoder, *, last: int = LAST, dropout: float = 0.2) -> Classifier:
    """Return ``encoder`` with the paper's head; ``last`` is the width of its 1×1 convolution."""
    return widened_classifier(plan, encoder, features=last, style=STYLE, dropout=dropout)
