"""A classifier whose head is one linear layer on the pooled last map."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.pool import GlobalPool
from medarch.networks.classifier import Classifier
from medarch.networks.encoder import Encoder


def pooled_classifier(plan: NetworkPlan, encoder: Encoder, *, dropout: float = 0.0) -> Classifier:
    """Return ``encoder``, global average pooling, dropout and a linear layer.

    Args:
        plan: for ``heads``.
        encoder: its last map is pooled, whatever its size.
        dropout: share of the pooled features that training drops.
    """
    head = OrderedDict[str, nn.Module](pool=GlobalPool())
    if dropout:
        head["dropout"] = nn.Dropout(dropout)
    head["linear"] = nn.Linear(encoder.channels[-1], plan.heads)
    return Classifier(encoder, nn.Sequential(head))
