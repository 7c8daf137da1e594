"""From what each run left to the record of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medarch.core.study import Cost, RunStatus, StudyResult, StudyRow, StudyRun
from medarch.studies.job import JobRecord
from medarch.studies.list_runs import PlannedRun
from medarch.studies.open_datasets import StudyDataset
from medarch.studies.study_file import StudyFile


def collect_result(
    study: StudyFile,
    datasets: Sequence[StudyDataset],
    runs: Sequence[PlannedRun],
    states: Mapping[str, RunStatus],
    *,
    rows: Sequence[StudyRow],
) -> StudyResult:
    """Return the record of a study from the records of its runs.

    Args:
        study: the file.
        datasets: its datasets.
        runs: all of its runs.
        states: what became of each, by its key.
        rows: every measurement.
    """
    records = {run.key: JobRecord.of(run.folder) for run in runs}
    devices = sorted({record.device for record in records.values() if record is not None and record.device})
    return StudyResult(
        name=study.name,
        budget=study.budget.text if study.budget else "none",
        device="; ".join(devices) or study.device,
        empty_policy=study.evaluation.empty_policy,
        nsd_tolerance_mm=study.evaluation.nsd_tolerance_mm,
        datasets=tuple(one.name for one in datasets),
        methods=tuple(method.name for method in study.methods),
        runs=tuple(_study_run(run, records[run.key], states[run.key]) for run in runs),
        rows=tuple(rows),
        software={
            name: value for record in records.values() if record is not None for name, value in record.software.items()
        },
    )


def _study_run(run: PlannedRun, record: JobRecord | None, status: RunStatus) -> StudyRun:
    return StudyRun(
        dataset=run.dataset.name,
        method=run.method.name,
        fold=run.fold,
        seed=run.seed,
        status=status,
        cases=run.cases,
        cost=_cost(record) if record is not None else Cost(),
        attempts=record.attempts if record is not None else 0,
        error=record.error if record is not None and status == "failed" else "",
    )


def _cost(record: JobRecord) -> Cost:
    gpu = [spent.peak_gpu_bytes for spent in record.spent if spent.peak_gpu_bytes is not None]
    wall_s = sum(spent.wall_s for spent in record.spent)
    return Cost(
        train_s=record.seconds("train"),
        predict_s=record.seconds("predict"),
        cpu_hours=sum(spent.cpu_s for spent in record.spent) / 3600,
        gpu_hours=wall_s / 3600 if record.on_gpu else 0.0,
        peak_memory_bytes=max((spent.peak_bytes for spent in record.spent), default=None),
        peak_gpu_bytes=max(gpu, default=None),
        parameters=record.parameters,
    )
