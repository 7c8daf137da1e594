"""EfficientNetV2-S, M and L."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.divisible_by_8 import divisible_by_8
from medarch.networks.blocks.inverted_bottleneck import InvertedStyle
from medarch.networks.classifier import Classifier
from medarch.networks.classify.inverted_encoder import Row, inverted_encoder, widened_classifier
from medarch.networks.encoder import Encoder

FUSED_ROWS = 3
"""The first three rows of each table are fused; the others have squeeze-and-excitation."""
LAST = 1280


def efficientnet_v2_encoder(
    plan: NetworkPlan,
    *,
    table: Sequence[Sequence[int]],
    width: float = 1.0,
    depth: float = 1.0,
    eps: float = 1e-3,
    drop: float = 0.2,
) -> Encoder:
    """Return the five stages (Tan & Le 2021, arXiv:2104.00298, table 4).

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        table: expansion, channels, blocks and stride of each row.
        width: multiplier of the channels.
        depth: multiplier of the number of blocks.
        eps: of the batch normalisation: 1e-3 in torchvision, 1e-5 in timm.
        drop: stochastic depth of the last block.
    """
    rows = [
        Row(
            InvertedStyle(expansion=expansion, fused=index < FUSED_ROWS, eps=eps),
            divisible_by_8(features * width),
            max(1, round(count * depth)),
            stride,
        )
        for index, (expansion, features, count, stride) in enumerate(table)
    ]
    return inverted_encoder(plan, rows, stem=rows[0].features, drop=drop)


def efficientnet_v2(
    plan: NetworkPlan, encoder: Encoder, *, eps: float = 1e-3, dropout: float = 0.2, last: int = LAST
) -> Classifier:
    """Return ``encoder`` with the paper's head; ``last`` is the width of its 1×1 convolution."""
    style = InvertedStyle(expansion=1, eps=eps)
    return widened_classifier(plan, encoder, features=last, style=style, dropout=dropout)
