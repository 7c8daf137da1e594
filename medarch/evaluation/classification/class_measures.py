"""Measures of one class against the rest, for many weightings of the cases at once."""

from __future__ import annotations

import numpy as np

from medarch.evaluation.classification.judgements import Judgements
from medarch.evaluation.classification.ranking import auroc, average_precision


def class_measures(judged: Judgements, index: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return each measure ``(samples,)``, NaN where it is undefined.

    F1 is 0 where the class occurs and is never decided on, undefined where it neither occurs nor is decided on.

    Args:
        judged: the cases.
        index: of the class.
        weights: ``(samples, cases)``, how often each case counts.
    """
    truth, decided, scores = judged.truth[:, index], judged.decided[:, index], judged.probabilities[:, index]
    hit, spurious, missed, rest = (
        weights @ np.asarray(cases, dtype=float)
        for cases in (truth & decided, ~truth & decided, truth & ~decided, ~truth & ~decided)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "auroc": auroc(truth, scores, weights),
            "auprc": average_precision(truth, scores, weights),
            "f1": 2 * hit / (2 * hit + spurious + missed),
            "sensitivity": hit / (hit + missed),
            "specificity": rest / (rest + spurious),
            "precision": hit / (hit + spurious),
        }
