"""Areas under curves of one class, for many weightings of the cases at once."""

from __future__ import annotations

import numpy as np


def auroc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: how often a case with the class scores above one without, ties counting half.

    Args:
        truth: ``(cases,)`` bool.
        scores: ``(cases,)``.
        weights: ``(samples, cases)``, how often each case counts.

    Returns:
        ``(samples,)``, NaN where one side has no case.
    """
    present, absent = _groups(truth, scores, weights)
    below = absent.cumsum(axis=1) - absent
    with np.errstate(invalid="ignore", divide="ignore"):
        area: np.ndarray = (present * (below + absent / 2)).sum(axis=1) / (present.sum(axis=1) * absent.sum(axis=1))
    return area


def average_precision(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve as a step function (no optimistic interpolation between its points).

    Arguments and return as of :func:`auroc`; NaN where no case has the class.
    """
    present, absent = (side[:, ::-1] for side in _groups(truth, scores, weights))
    found = present.cumsum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(found / (found + absent.cumsum(axis=1)))
        area: np.ndarray = (present * precision).sum(axis=1) / present.sum(axis=1)
    return area


def curves(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of both curves from the strictest threshold to the laxest.

    Returns:
        ``(points, 2)`` of (1 - specificity, sensitivity), from (0, 0); and ``(points, 2)`` of (sensitivity, precision).
        Both empty where one side has no case.
    """
    present, absent = (side[0, ::-1] for side in _groups(truth, scores, np.ones((1, len(truth)))))
    found, spurious = present.cumsum(), absent.cumsum()
    if not len(found) or not found[-1] or not spurious[-1]:
        return np.empty((0, 2)), np.empty((0, 2))
    sensitivity, misses = found / found[-1], spurious / spurious[-1]
    roc = np.vstack([[0.0, 0.0], np.stack([misses, sensitivity], axis=1)])
    return roc, np.stack([sensitivity, found / (found + spurious)], axis=1)


def _groups(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the cases with and without the class at each different score, ascending, ``(samples, scores)``."""
    _, place = np.unique(scores, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(place[order]) > 0]) if len(order) else np.empty(0, dtype=int)
    sorted_weights, sorted_truth = weights[:, order], truth[order]
    if not len(starts):
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    present = np.add.reduceat(sorted_weights * sorted_truth, starts, axis=1)
    absent = np.add.reduceat(sorted_weights * ~sorted_truth, starts, axis=1)
    return present, absent
