"""Each method by itself: means with intervals, the worst case, counts of statuses, spread over folds and seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medarch.core.comparison import HIGHER_IS_BETTER, MeasureScore, Score
from medarch.core.study import StudyRow
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap
from medarch.evaluation.mean_of_defined import mean_of_defined
from medarch.evaluation.score_cases import CaseTable
from medarch.evaluation.summarise import FOREGROUND


def score_methods(rows: Sequence[StudyRow], table: CaseTable, bootstrap: ClusterBootstrap) -> tuple[Score, ...]:
    """Return one score a method and class, ``foreground`` first.

    Args:
        rows: of one dataset.
        table: the same rows as arrays.
        bootstrap: of the table's patients.
    """
    statuses: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        for label in (FOREGROUND, row.label):
            statuses.setdefault((row.method, label), Counter())[row.status] += 1
    return tuple(
        Score(
            method=method,
            label=label,
            statuses=dict(statuses[method, label]),  # type: ignore[arg-type]
            measures={
                measure: _score(table, table.values[measure][m, k], bootstrap, higher=higher)
                for measure, higher in HIGHER_IS_BETTER.items()
            },
        )
        for m, method in enumerate(table.methods)
        for k, label in enumerate(table.labels)
    )


def _score(table: CaseTable, values: np.ndarray, bootstrap: ClusterBootstrap, *, higher: bool) -> MeasureScore:
    """Score ``(runs, cases)``."""
    scores = mean_of_defined(values, axis=0)
    estimate = bootstrap.estimate(scores)
    if estimate.cases_used == 0:
        return MeasureScore(estimate=estimate, median=None, worst=None)
    worst = int(np.nanargmin(scores) if higher else np.nanargmax(scores))
    seeds = np.array([seed for _, seed in table.runs])
    by_seed = [values[seeds == seed] for seed in np.unique(seeds)]
    folds = [spread for runs in by_seed if (spread := _spread(mean_of_defined(runs))) is not None]
    return MeasureScore(
        estimate=estimate,
        median=float(np.nanmedian(scores)),
        worst=float(scores[worst]),
        worst_case=table.cases[worst],
        sd_folds=float(np.mean(folds)) if folds else None,
        sd_seeds=_spread(np.array([mean_of_defined(mean_of_defined(runs, axis=0)) for runs in by_seed])),
    )


def _spread(means: np.ndarray) -> float | None:
    means = means[np.isfinite(means)]
    return float(np.std(means, ddof=1)) if len(means) > 1 else None
