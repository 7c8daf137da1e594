"""A mean over cases with its bootstrap confidence interval."""

from __future__ import annotations

import warnings

import numpy as np

from medarch.core.evaluation import Interval

SEED = 20240917
"""Fixed, so that one evaluation gives one interval."""


def bootstrap(values: np.ndarray, *, confidence: float = 0.95, samples: int = 2000) -> Interval:
    """Return the mean of ``values`` and the interval that resampling cases gives it.

    The interval is BCa (Efron 1987), or the percentile interval where BCa does not exist (all values equal). One
    defined case has no interval: ``low`` and ``high`` are None.

    Args:
        values: ``(cases,)``, or ``(cases, classes)`` for the mean over classes of the means over cases, NaN where a
            case has no value. Undefined values are left out and counted: ``used`` is the number of cases with any.
        confidence: coverage, e.g. 0.95.
        samples: bootstrap resamples.
    """
    table = values[:, np.newaxis] if values.ndim == 1 else values
    total = len(table)
    table = table[np.isfinite(table).any(axis=1)]
    used = len(table)
    mean = float(_mean_of_means(*table.T)) if used else np.nan
    if not np.isfinite(mean):
        return Interval(mean=None, low=None, high=None, used=used, total=total)
    if used == 1:
        return Interval(mean=mean, low=None, high=None, used=used, total=total)
    low, high = _limits(table, confidence=confidence, samples=samples)
    return Interval(mean=mean, low=low, high=high, used=used, total=total)


def _mean_of_means(*columns: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over columns of the mean over defined values; NaN where a column has none."""
    with np.errstate(invalid="ignore"):
        means = [np.nansum(column, axis=axis) / np.isfinite(column).sum(axis=axis) for column in columns]
    average: np.ndarray = np.mean(means, axis=0)
    return average


def _limits(table: np.ndarray, *, confidence: float, samples: int) -> tuple[float, float]:
    from scipy import stats

    if np.ptp(table, axis=0).max() == 0:  # false when a value is missing
        mean = float(table[0].mean())
        return mean, mean
    # Where BCa does not exist scipy divides by zero and warns; the percentile interval below takes its place.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            tuple(table.T),
            _mean_of_means,
            paired=True,
            vectorized=True,
            n_resamples=samples,
            # 8 bytes a value: bounds the memory, not the result.
            batch=max(1, 4_000_000 // table.size),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(SEED),
        )
    limits = np.array(result.confidence_interval)
    if not np.isfinite(limits).all():
        tail = (1 - confidence) / 2
        limits = np.nanquantile(result.bootstrap_distribution, [tail, 1 - tail])
    return float(limits[0]), float(limits[1])
