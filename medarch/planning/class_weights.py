"""What each class counts, so that rare classes are not passed over."""

from __future__ import annotations

from medarch.core.classes import ClassScheme
from medarch.core.fingerprint import Fingerprint

LARGEST = 20.0
"""No class counts more than so many times another: beyond, single cases would steer the training."""


def class_weights(fingerprint: Fingerprint, classes: ClassScheme) -> tuple[float, ...]:
    """Weights inverse to how often each class occurs, their mean over cases 1; of findings, absent to present cases.

    A class that never occurs gets weight 1.
    """
    counts = [fingerprint.class_counts.get(name, 0) for name in classes.names]
    total = len(fingerprint.cases)
    if classes.multi_label:
        ratios = [(total - count) / count if 0 < count < total else 1.0 for count in counts]
        return tuple(round(min(max(ratio, 1 / LARGEST), LARGEST), 4) for ratio in ratios)
    most = max(counts)
    raised = [max(count, most / LARGEST) if count else 0 for count in counts]
    mean = sum(count / share for count, share in zip(counts, raised, strict=True) if share) / total
    return tuple(round(1 / (share * mean), 4) if share else 1.0 for share in raised)
