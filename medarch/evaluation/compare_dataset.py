"""All methods of a study on one of its datasets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, stdev

import numpy as np

from medarch.core.comparison import (
    FEW_PATIENTS,
    HIGHER_IS_BETTER,
    PRIMARY_MEASURE,
    DatasetComparison,
    Pair,
    Ranking,
    Score,
    Separation,
)
from medarch.core.study import StudyResult, StudyRun
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap
from medarch.evaluation.paired_difference import paired_difference
from medarch.evaluation.rank_stability import rank_stability
from medarch.evaluation.require_equal_cases import require_equal_cases
from medarch.evaluation.score_cases import CaseTable, score_cases
from medarch.evaluation.score_methods import score_methods
from medarch.evaluation.sum_costs import sum_costs
from medarch.evaluation.summarise import FOREGROUND


def compare_dataset(
    result: StudyResult, dataset: str, *, confidence: float, bootstrap_samples: int
) -> tuple[DatasetComparison, np.ndarray | None]:
    """Compare, or say why not. Holm's correction is still to come, because it needs all datasets.

    Returns:
        The comparison, and the ranks by the primary measure in each bootstrap sample, ``(samples, methods)``; None
        where there is no such ranking.

    Raises:
        EvaluationError: all runs are done, but not on the same cases.
    """
    runs = [run for run in result.runs if run.dataset == dataset]
    rows = [row for row in result.rows if row.dataset == dataset]
    costs = sum_costs(runs, rows, methods=result.methods)
    reason = _why_unavailable(runs)
    if reason:
        return DatasetComparison(dataset=dataset, unavailable=reason, costs=costs, runs=tuple(runs)), None
    require_equal_cases(dataset, runs, rows, methods=result.methods)
    table = score_cases(rows, methods=result.methods)
    bootstrap = ClusterBootstrap.draw(table.patients, samples=bootstrap_samples, confidence=confidence, name=dataset)
    scores = score_methods(rows, table, bootstrap)
    rankings, drawn = _rankings(table, bootstrap)
    patients = len(set(table.patients))
    compared = DatasetComparison(
        dataset=dataset,
        cases=len(table.cases),
        patients=patients,
        folds=tuple(sorted({fold for fold, _ in table.runs})),
        seeds=tuple(sorted({seed for _, seed in table.runs})),
        few_patients=patients < FEW_PATIENTS,
        scores=scores,
        pairs=_pairs(table, bootstrap),
        rankings=rankings,
        separation=_separation(scores),
        costs=costs,
    )
    return compared, drawn


def _why_unavailable(runs: Sequence[StudyRun]) -> str:
    if not runs:
        return "no run is recorded"
    for what, statuses in (("failed", ("failed",)), ("not finished", ("waiting", "running"))):
        names = [f"{run.method} fold {run.fold} seed {run.seed}" for run in runs if run.status in statuses]
        if names:
            return f"{len(names)} of {len(runs)} runs {what}: {', '.join(names)}"
    return ""


def _pairs(table: CaseTable, bootstrap: ClusterBootstrap) -> tuple[Pair, ...]:
    pairs = []
    for measure, higher in HIGHER_IS_BETTER.items():
        values = table.foreground(measure)
        for (b, baseline), (m, method) in combinations(enumerate(table.methods), 2):
            found = paired_difference(values[m], values[b], bootstrap, higher_is_better=higher)
            pairs.append(
                Pair(
                    method=method,
                    baseline=baseline,
                    measure=measure,
                    difference=found.difference,
                    one_sided=found.one_sided,
                    wins=found.wins,
                    ties=found.ties,
                    losses=found.losses,
                    rank_biserial=found.rank_biserial,
                    p_value=found.p_value if measure == PRIMARY_MEASURE else None,
                    verdict="too few patients",
                )
            )
    return tuple(pairs)


def _rankings(table: CaseTable, bootstrap: ClusterBootstrap) -> tuple[tuple[Ranking, ...], np.ndarray | None]:
    found = {
        measure: ranked
        for measure, higher in HIGHER_IS_BETTER.items()
        if (ranked := rank_stability(
            measure, table.methods, table.foreground(measure), bootstrap, higher_is_better=higher
        ))
    }  # fmt: skip
    primary = found.get(PRIMARY_MEASURE)
    return tuple(ranking for ranking, _ in found.values()), primary[1] if primary else None


def _separation(scores: Sequence[Score]) -> Separation | None:
    primary = [score.measures[PRIMARY_MEASURE] for score in scores if score.label == FOREGROUND]
    means = [score.estimate.mean for score in primary if score.estimate.mean is not None]
    spreads = [score.sd_folds for score in primary if score.sd_folds is not None]
    if len(means) < 2 or not spreads:
        return None
    between, within = stdev(means), fmean(spreads)
    return Separation(between_sd=between, within_sd=within, ratio=between / within if within else None)
