"""EfficientNet-B0 to B7."""

from __future__ import annotations

import math

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.divisible_by_8 import divisible_by_8
from medarch.networks.blocks.inverted_bottleneck import InvertedStyle
from medarch.networks.classifier import Classifier
from medarch.networks.classify.inverted_encoder import Row, inverted_encoder, widened_classifier
from medarch.networks.encoder import Encoder

TABLE = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Expansion, kernel, channels, blocks, stride: table 1 of the paper."""
STEM, LAST = 32, 1280


def efficientnet_encoder(
    plan: NetworkPlan, *, width: float = 1.0, depth: float = 1.0, eps: float = 1e-5, drop: float = 0.2
) -> Encoder:
    """Return the five stages (Tan & Le 2019, arXiv:1905.11946, table 1).

    Own code, because MONAI's takes no strides and pads as TensorFlow does, so that the widely used weights of
    torchvision and timm (``efficientnet_b0``, not ``tf_efficientnet_b0``) give other outputs in it, and volumes one
    slice thick fail.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        width: multiplier of the channels; :func:`~medarch.networks.classify.compound_scale.compound_scale` computes
            it, B1 to B7 have the authors' rounded ones.
        depth: multiplier of the number of blocks.
        eps: of the batch normalisation; 1e-3 in torchvision's B5 to B7.
        drop: stochastic depth of the last block.
    """
    rows = [
        Row(
            InvertedStyle(expansion=expansion, kernel=kernel, eps=eps),
            divisible_by_8(features * width),
            math.ceil(count * depth),
            stride,
        )
        for expansion, kernel, features, count, stride in TABLE
    ]
    return inverted_encoder(plan, rows, stem=divisible_by_8(STEM * width), drop=drop)


def efficientnet(
    plan: NetworkPlan,
    encoder: Encoder,
    *,
    width: float = 1.0,
    eps: float = 1e-5,
    dropout: float = 0.2,
    last: int | None = None,
) -> Classifier:
    """Return ``encoder`` with the paper's head; ``last`` is the width of its 1×1 convolution, default 1280 × width."""
    style = InvertedStyle(expansion=1, eps=eps)
    features = last or divisible_by_8(LAST * width)
    return widened_classifier(plan, encoder, features=features, style=style, dropout=dropout)
