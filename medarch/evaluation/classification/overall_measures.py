"""Measures over all classes, for many weightings of the cases at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.evaluation.classification.calibration import calibration_points, expected_calibration_error
from medarch.evaluation.classification.judgements import Judgements


def overall_measures(
    judged: Judgements, classes: Sequence[dict[str, np.ndarray]], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each measure ``(samples,)``.

    ``auroc``, ``auprc`` and ``f1`` are means over the classes where they are defined. ``balanced_accuracy`` is the mean
    sensitivity, of findings the mean of sensitivity and specificity. ``accuracy`` asks for every class of a case to be
    right. ``brier`` is half the squared distance of the probabilities from the truth (Brier 1950), so that with two
    classes it is that of one of them; of findings the mean over findings.

    Args:
        judged: the cases.
        classes: what :func:`~medarch.evaluation.classification.class_measures.class_measures` gave of each class.
        weights: ``(samples, cases)``, how often each case counts.
    """

    def mean(name: str) -> np.ndarray:
        values = np.stack([found[name] for found in classes])
        defined = np.isfinite(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            average: np.ndarray = np.where(defined, values, 0).sum(axis=0) / defined.sum(axis=0)
        return average

    right = (judged.truth == judged.decided).all(axis=1).astype(float)
    squares = (judged.probabilities - judged.truth) ** 2
    distance = squares.mean(axis=1) if judged.multi_label else squares.sum(axis=1) / 2
    total = weights.sum(axis=1)
    balanced = (mean("sensitivity") + mean("specificity")) / 2 if judged.multi_label else mean("sensitivity")
    return {
        "auroc": mean("auroc"),
        "auprc": mean("auprc"),
        "accuracy": weights @ right / total,
        "balanced_accuracy": balanced,
        "f1": mean("f1"),
        "brier": weights @ distance / total,
        "ece": expected_calibration_error(*calibration_points(judged), weights),
    }
