"""What each class counts, so that rare classes are not passed over."""

from __future__ import annotations

import math

from medarch.core.classes import ClassScheme
from medarch.core.fingerprint import Fingerprint

LARGEST = 10.0
"""No class counts more than so many times another: beyond, single cases would steer the training."""


def class_weights(fingerprint: Fingerprint, classes: ClassScheme) -> tuple[float, ...]:
    """Weights inverse to the square root of how often each class occurs, their mean over cases 1.

    Half-way between counting every case the same, which passes over rare classes, and counting every class the same,
    which calls half of the common class rare (the square root is from Mahajan et al. 2018, arXiv:1805.00932, section
    2.2). Of findings, the root of absent to present cases. A class that never occurs gets weight 1.
    """
    counts = [fingerprint.class_counts.get(name, 0) for name in classes.names]
    total = len(fingerprint.cases)
    if classes.multi_label:
        ratios = [math.sqrt((total - count) / count) if 0 < count < total else 1.0 for count in counts]
        return tuple(round(min(max(ratio, 1 / LARGEST), LARGEST), 4) for ratio in ratios)
    most = max(counts)
    raw = [min(math.sqrt(most / count), LARGEST) if count else 0.0 for count in counts]
    mean = sum(count * weight for count, weight in zip(counts, raw, strict=True)) / total
    return tuple(round(weight / mean, 4) if weight else 1.0 for weight in raw)
