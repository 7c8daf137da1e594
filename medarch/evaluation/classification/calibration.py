"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from medarch.core.classification_evaluation import ReliabilityBin
from medarch.evaluation.classification.judgements import Judgements

BINS = 15
"""Guo et al. 2017, arXiv:1706.04599."""


def calibration_points(judged: Judgements) -> tuple[np.ndarray, np.ndarray]:
    """Return stated confidences and whether they came true, both ``(cases, n)``.

    Of classes, the probability of the likeliest one (n = 1); of findings, the probability of each.
    """
    if judged.multi_label:
        return judged.probabilities, judged.truth.astype(float)
    winner = judged.probabilities.argmax(axis=1)
    rows = np.arange(len(winner))
    return judged.probabilities[rows, winner][:, None], judged.truth[rows, winner][:, None].astype(float)


def expected_calibration_error(confidences: np.ndarray, came_true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean distance between confidence and frequency over bins of equal width (Guo et al. 2017, equation 3).

    Args:
        confidences: ``(cases, n)``, 0 to 1.
        came_true: ``(cases, n)``, 0 or 1.
        weights: ``(samples, cases)``, how often each case counts.

    Returns:
        ``(samples,)``.
    """
    gaps = np.zeros((len(confidences), BINS))
    place = _bins(confidences)
    for column in range(confidences.shape[1]):
        gaps[np.arange(len(gaps)), place[:, column]] += confidences[:, column] - came_true[:, column]
    error: np.ndarray = np.abs(weights @ gaps).sum(axis=1) / (weights.sum(axis=1) * confidences.shape[1])
    return error


def reliability(confidences: np.ndarray, came_true: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Return the bins of a reliability diagram."""
    place = _bins(confidences)
    found = []
    for number in range(BINS):
        inside = place == number
        count = int(inside.sum())
        found.append(
            ReliabilityBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                count=count,
                confidence=float(confidences[inside].mean()) if count else None,
                frequency=float(came_true[inside].mean()) if count else None,
            )
        )
    return tuple(found)


def _bins(confidences: np.ndarray) -> np.ndarray:
    places: np.ndarray = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return places
