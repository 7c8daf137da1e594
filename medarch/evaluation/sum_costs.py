"""What each method used on one dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from medarch.core.comparison import MethodCost
from medarch.core.study import StudyRow, StudyRun


def sum_costs(runs: Sequence[StudyRun], rows: Sequence[StudyRow], *, methods: Sequence[str]) -> tuple[MethodCost, ...]:
    """Return one cost a method: sums over its runs for hours, maxima for memory, counts of what failed.

    Args:
        runs: of one dataset, whatever became of them.
        rows: of the same dataset.
        methods: names, in order.
    """
    failed = {(row.method, row.fold, row.seed, row.case) for row in rows if row.status == "failed"}
    return tuple(
        _cost(
            method,
            [run for run in runs if run.method == method],
            failed_cases=sum(key[0] == method for key in failed),
        )
        for method in methods
    )


def _cost(method: str, runs: Sequence[StudyRun], *, failed_cases: int) -> MethodCost:
    costs = [run.cost for run in runs]
    trained = [cost.train_s for cost in costs if cost.train_s is not None]
    predicted = [(run.cost.predict_s, len(run.cases)) for run in runs if run.cost.predict_s is not None and run.cases]
    cases = sum(count for _, count in predicted)
    return MethodCost(
        method=method,
        runs=len(runs),
        done=sum(run.status == "done" for run in runs),
        failed_runs=sum(run.status == "failed" for run in runs),
        failed_cases=failed_cases,
        attempts=sum(run.attempts for run in runs),
        train_hours=fmean(trained) / 3600 if trained else None,
        gpu_hours=sum(cost.gpu_hours for cost in costs),
        cpu_hours=sum(cost.cpu_hours for cost in costs),
        peak_memory_bytes=_largest(cost.peak_memory_bytes for cost in costs),
        peak_gpu_bytes=_largest(cost.peak_gpu_bytes for cost in costs),
        seconds_per_case=sum(seconds for seconds, _ in predicted) / cases if cases else None,
        parameters=_largest(cost.parameters for cost in costs),
    )


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
