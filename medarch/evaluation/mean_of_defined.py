"""Means that leave out what is undefined."""

from __future__ import annotations

import numpy as np


def mean_of_defined(values: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """Return the mean over ``axis`` of the values that are not NaN; NaN where there are none."""
    counts = np.isfinite(values).sum(axis=axis)
    mean: np.ndarray = np.where(counts, np.nansum(values, axis=axis) / np.maximum(counts, 1), np.nan)
    return mean
