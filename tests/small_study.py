"""Studies whose truth is known, without training anything."""

from collections.abc import Iterable, Sequence

import numpy as np

from medarch.core.study import Cost, StudyResult, StudyRow, StudyRun


def make_result(
    scores: dict[str, np.ndarray],
    *,
    dataset: str = "Hearts",
    patients: Sequence[str] | None = None,
    folds: int = 1,
    seeds: int = 1,
    labels: Sequence[str] = ("organ",),
) -> StudyResult:
    """One dataset; ``scores`` holds DSC, NaN where undefined.

    Args:
        scores: method → ``(cases,)``, alike for all classes and seeds, or ``(labels, seeds, cases)``.
        dataset: its name.
        patients: of each case; each case its own when None.
        folds: the cases are dealt out in turn.
        seeds: of each fold.
        labels: classes.
    """
    count = next(iter(scores.values())).shape[-1]
    names = [f"case_{index:03d}" for index in range(count)]
    owners = list(patients or names)
    runs, rows = [], []
    for method, values in scores.items():
        table = np.broadcast_to(values, (len(labels), seeds, count))
        for fold in range(folds):
            for seed in range(seeds):
                cases = range(fold, count, folds)
                runs.append(_run(dataset, method, fold, seed, [names[case] for case in cases]))
                rows += [
                    _row(dataset, method, fold, seed, names[case], owners[case], label, float(table[k, seed, case]))
                    for case in cases
                    for k, label in enumerate(labels)
                ]
    return StudyResult(
        name="trial",
        budget="3 min wall-clock",
        device="a CPU of the test machine",
        empty_policy="medarch",
        nsd_tolerance_mm=1.0,
        datasets=(dataset,),
        methods=tuple(scores),
        runs=tuple(runs),
        rows=tuple(rows),
        software={"medarch": "0.1.0"},
    )


def join_results(results: Iterable[StudyResult]) -> StudyResult:
    """One study of several datasets."""
    results = list(results)
    return results[0].model_copy(
        update={
            "datasets": tuple(name for result in results for name in result.datasets),
            "runs": tuple(run for result in results for run in result.runs),
            "rows": tuple(row for result in results for row in result.rows),
        }
    )


def _run(dataset: str, method: str, fold: int, seed: int, cases: list[str]) -> StudyRun:
    cost = Cost(train_s=3600.0, predict_s=2.0 * len(cases), cpu_hours=1.5, peak_memory_bytes=2**30, parameters=1000)
    return StudyRun(
        dataset=dataset,
        method=method,
        fold=fold,
        seed=seed,
        status="done",
        cases=tuple(cases),
        cost=cost,
        attempts=1,
    )


def _row(dataset: str, method: str, fold: int, seed: int, case: str, patient: str, label: str, dsc: float) -> StudyRow:
    undefined = np.isnan(dsc)
    values = {"dsc": dsc, "nsd": min(1.0, dsc + 0.05), "hd95_mm": 100 * (1 - dsc)}
    return StudyRow(
        dataset=dataset,
        method=method,
        fold=fold,
        seed=seed,
        case=case,
        patient=patient,
        label=label,
        status="empty_both" if undefined else "missed" if dsc == 0 else "ok",
        values={name: None if undefined else value for name, value in values.items()},
    )
