"""Statistics of a weighted multiset, exactly as if every value were written out as often as its weight says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medarch.core.fingerprint import IntensityStatistics


def merge_weighted(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort values and sum the weights of equal ones; values of weight 0 are dropped.

    Args:
        values: ``(N,)`` of any order.
        weights: ``(N,)`` whole numbers.

    Returns:
        ``(values, weights)``, values ascending and different, weights int64.
    """
    drawn = weights > 0
    values, weights = values[drawn], weights[drawn]
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order].astype(np.int64)
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if values.size else np.empty(0, dtype=np.intp)
    return values[starts], np.add.reduceat(weights, starts) if starts.size else weights


def pooled_statistics(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> IntensityStatistics:
    """Pool the ``(values, weights)`` of all cases of one channel.

    Percentiles interpolate linearly between order statistics, numpy's default. At least one weight must be above 0.
    """
    values, weights = merge_weighted(
        np.concatenate([part[0] for part in parts]).astype(np.float64),
        np.concatenate([part[1] for part in parts]),
    )
    ends = np.cumsum(weights)
    total = int(ends[-1])
    mean = float(np.dot(values, weights) / total)
    variance = float(np.dot((values - mean) ** 2, weights) / total)

    def percentile(percent: float) -> float:
        position = (total - 1) * (percent / 100)
        below = math.floor(position)
        low, high = values[np.searchsorted(ends, [below, min(below + 1, total - 1)], side="right")]
        return float(low + (high - low) * (position - below))

    return IntensityStatistics(
        mean=mean,
        median=percentile(50.0),
        std=math.sqrt(variance),
        min=float(values[0]),
        max=float(values[-1]),
        percentile_00_5=percentile(0.5),
        percentile_99_5=percentile(99.5),
    )
