"""The dice for errors of a cascade's first stage, split from the deed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

P_OPERATE, P_OPERATE_LABEL, RADIUS_RANGE = 0.4, 0.5, (1.0, 8.0)
P_REMOVE, P_REMOVE_LABEL = 0.2, 0.5
Operator = Literal["dilate", "erode", "close", "open"]


@dataclass(frozen=True)
class Operation:
    """A binary operation on the channel of one label."""

    channel: int
    operator: Operator
    radius_voxels: float
    """Of the ball."""


@dataclass(frozen=True)
class Removal:
    """One connected component of a label's channel disappears."""

    channel: int
    choice: float
    """0..1, which of the components that may go."""


@dataclass(frozen=True)
class LabelErrors:
    """Parameters of one sample, in order; empty when nothing was drawn."""

    operations: tuple[Operation, ...] = ()
    removals: tuple[Removal, ...] = ()


def draw_label_errors(labels: int, *, rng: np.random.Generator) -> LabelErrors:
    """Draw errors with nnU-Net's probabilities (section 1.14 of its rules).

    The first stage's label maps of training cases are better than those of new cases tend to be; the second stage must
    not learn to copy them.

    Args:
        labels: number of one-hot channels.
        rng: the sample's own.
    """
    operations = [
        Operation(channel, get_args(Operator)[int(rng.integers(4))], float(rng.uniform(*RADIUS_RANGE)))
        for channel in _drawn(labels, rng, p=P_OPERATE, p_label=P_OPERATE_LABEL)
    ]
    removals = [
        Removal(channel, float(rng.random())) for channel in _drawn(labels, rng, p=P_REMOVE, p_label=P_REMOVE_LABEL)
    ]
    return LabelErrors(tuple(operations), tuple(removals))


def _drawn(labels: int, rng: np.random.Generator, *, p: float, p_label: float) -> list[int]:
    """Channels in random order, each with its probability; none where the step is not taken."""
    act = rng.random() < p
    order = rng.permutation(labels)
    chosen = rng.random(labels) < p_label
    return [int(channel) for channel in order[chosen]] if act else []
