"""From measurements per case and class to means with intervals and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medarch.core.evaluation import EmptyPolicy, Interval, Measurement, Summary
from medarch.evaluation.bootstrap import bootstrap
from medarch.evaluation.measure_case import MEASURES

FOREGROUND = "foreground"


def summarise(
    rows: Sequence[Measurement], *, empty_policy: EmptyPolicy, confidence: float, bootstrap_samples: int
) -> tuple[Summary, ...]:
    """Return one summary a class, and ``foreground`` over all classes.

    The foreground mean is, with policy ``medarch``, the mean over cases of each case's mean over its defined classes;
    with ``nnunet``, the mean over classes of each class' mean over its defined cases, as in nnU-Net's
    ``summary.json``. Its statuses count classes of cases.
    """
    cases = {case: index for index, case in enumerate(dict.fromkeys(row.case for row in rows))}
    labels = {label: index for index, label in enumerate(dict.fromkeys(row.label for row in rows))}
    tables = {measure: np.full((len(cases), len(labels)), np.nan) for measure in MEASURES}
    for row in rows:
        for measure, value in row.values.items():
            if value is not None:
                tables[measure][cases[row.case], labels[row.label]] = value

    def interval(values: np.ndarray) -> Interval:
        return bootstrap(values, confidence=confidence, samples=bootstrap_samples)

    summaries = [
        Summary(
            label=label,
            measures={measure: interval(table[:, index]) for measure, table in tables.items()},
            statuses=Counter(row.status for row in rows if row.label == label),
        )
        for label, index in labels.items()
    ]
    foreground = {
        measure: interval(table if empty_policy == "nnunet" else _mean_of_defined(table))
        for measure, table in tables.items()
    }
    statuses = Counter(row.status for row in rows)
    return (*summaries, Summary(label=FOREGROUND, measures=foreground, statuses=statuses))


def _mean_of_defined(table: np.ndarray) -> np.ndarray:
    """Mean of each row over its finite entries, ``(cases, classes)`` to ``(cases,)``; NaN where a row has none."""
    counts = np.isfinite(table).sum(axis=1)
    means: np.ndarray = np.where(counts, np.nansum(table, axis=1) / np.maximum(counts, 1), np.nan)
    return means
