"""The statistics of a study: which differences between methods the patients support, and which they do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.comparison import (
    HIGHER_IS_BETTER,
    PRIMARY_MEASURE,
    Comparison,
    DatasetComparison,
    MeanRank,
    Pair,
    Verdict,
)
from medarch.core.errors import EvaluationError
from medarch.core.study import StudyResult
from medarch.evaluation.bootstrap import SEED
from medarch.evaluation.compare_dataset import compare_dataset
from medarch.evaluation.holm import holm
from medarch.evaluation.paired_difference import ZERO_METHOD


def compare_methods(result: StudyResult, *, confidence: float = 0.95, bootstrap_samples: int = 2000) -> Comparison:
    """Compare the methods of a study; docs/statistics.md says how and why.

    A case's score is the mean over its defined classes, averaged over the runs (seeds) that predicted it. Patients are
    the unit: all cases of one are resampled together, and the test sees one difference a patient.

    Args:
        result: everything the study measured.
        confidence: coverage of the intervals; 1 - confidence is the level of the tests.
        bootstrap_samples: resamples of patients.

    Returns:
        The comparison. A dataset with a run that failed or is not finished has its reason and costs there, no scores.

    Raises:
        EvaluationError: methods were scored on unequal cases, or an argument is out of range.
    """
    if not 0 < confidence < 1 or bootstrap_samples < 100:
        raise EvaluationError(
            "cannot compute bootstrap intervals",
            expected="a confidence between 0 and 1 and at least 100 bootstrap samples",
            found=f"confidence {confidence:g}, {bootstrap_samples} samples",
        )
    compared = [
        compare_dataset(result, dataset, confidence=confidence, bootstrap_samples=bootstrap_samples)
        for dataset in result.datasets
    ]
    drawn = {record.dataset: ranks for record, ranks in compared if ranks is not None}
    datasets = _with_verdicts([record for record, _ in compared], level=1 - confidence)
    return Comparison(
        study=result.name,
        budget=result.budget,
        device=result.device,
        empty_policy=result.empty_policy,
        nsd_tolerance_mm=result.nsd_tolerance_mm,
        methods=result.methods,
        reference=result.methods[0] if result.methods else "",
        primary_measure=PRIMARY_MEASURE,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        bootstrap_seed=SEED,
        zero_method=ZERO_METHOD,
        comparisons=sum(pair.p_value is not None for dataset in datasets for pair in dataset.pairs),
        datasets=datasets,
        mean_ranks=_mean_ranks(datasets, drawn, methods=result.methods, confidence=confidence),
        software=result.software,
    )


def _with_verdicts(datasets: Sequence[DatasetComparison], *, level: float) -> tuple[DatasetComparison, ...]:
    """Correct the tests of all datasets together, and say what each pair shows."""
    tested = [pair.p_value for dataset in datasets for pair in dataset.pairs if pair.p_value is not None]
    adjusted = iter(holm(tested))
    judged = []
    for dataset in datasets:
        pairs = []
        for pair in dataset.pairs:
            holm_p = None if pair.p_value is None else next(adjusted)
            verdict = _verdict(pair, holm_p, level=level)
            pairs.append(pair.model_copy(update={"holm_p": holm_p, "verdict": verdict}))
        judged.append(dataset.model_copy(update={"pairs": tuple(pairs)}))
    return tuple(judged)


def _verdict(pair: Pair, holm_p: float | None, *, level: float) -> Verdict:
    low, high = pair.difference.low, pair.difference.high
    if low is None or high is None:
        return "too few patients"
    if low <= 0 <= high:
        return "no detectable difference"
    if holm_p is not None and holm_p >= level:
        return "not confirmed"
    return "better" if (low > 0) == HIGHER_IS_BETTER[pair.measure] else "worse"


def _mean_ranks(
    datasets: Sequence[DatasetComparison], drawn: dict[str, np.ndarray], *, methods: Sequence[str], confidence: float
) -> tuple[MeanRank, ...]:
    """Average the ranks over datasets; their resamples are independent, so they are averaged sample by sample."""
    if not drawn:
        return ()
    full = np.mean(
        [
            [rank.rank for rank in ranking.ranks]
            for dataset in datasets
            for ranking in dataset.rankings
            if ranking.measure == PRIMARY_MEASURE
        ],
        axis=0,
    )
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    low, high = np.quantile(np.mean(list(drawn.values()), axis=0), tails, axis=0, method="inverted_cdf")
    return tuple(
        MeanRank(method=method, mean_rank=float(full[m]), low=float(low[m]), high=float(high[m]))
        for m, method in enumerate(methods)
    )
