"""A study from its file to every measurement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.core.errors import MedarchError, UsageError
from medarch.core.study import RunStatus, StudyResult, StudyRow
from medarch.studies import finished_predictions
from medarch.studies.build_jobs import JobBuilder
from medarch.studies.collect_result import collect_result
from medarch.studies.evaluate_run import evaluate_run
from medarch.studies.expected_seconds import expected_seconds
from medarch.studies.job import Job, JobRecord
from medarch.studies.list_runs import PlannedRun, list_runs
from medarch.studies.open_datasets import open_datasets
from medarch.studies.refuse_changes import refuse_changes
from medarch.studies.run_local import run_local
from medarch.studies.run_slurm import live_jobs, run_slurm
from medarch.studies.study_file import StudyFile
from medarch.studies.study_folder import StudyFolder
from medarch.studies.tell import Tell, tell_nobody
from medarch.studies.write_preparations import write_preparations


@dataclass(frozen=True)
class StudyState:
    """Where a study stands."""

    result: StudyResult
    expected_s: float | None
    """Wall-clock that the open runs will take; None if nothing is known to judge by."""


def run_study(
    study: StudyFile,
    *,
    only: Sequence[str] = (),
    restart: bool = False,
    dry_run: bool = False,
    tell: Tell = tell_nobody,
) -> StudyState:
    """Do every run that is not done, each isolated from the others, and measure all that are.

    Failed runs are tried again. Runs that are done (run.json says so, and the predictions are unchanged)
    are not touched.

    Args:
        study: see :func:`~medarch.studies.read_study.read_study`.
        only: names of methods to run; the others keep their state.
        restart: forget earlier runs (of ``only``, if given).
        dry_run: look, and do nothing.
        tell: called when a run changes its state.

    Raises:
        UsageError: the study does not fit its datasets or its earlier runs, or another command works on it.
        EvaluationError: finished predictions are not of the same cases.
        DatasetError: a dataset cannot be used.
    """
    _check_names(study, only)
    finished_predictions.check_templates(study)
    datasets = open_datasets(study)
    runs = list_runs(study, datasets)
    for run in runs:
        if run.method.predictions is not None:
            finished_predictions.find(run)
    refuse_changes(study, datasets, restart=restart, only=only, keep=False)
    home = StudyFolder(study.output)
    if dry_run:
        states = {run.key: _status(run, home) for run in runs}
        return StudyState(collect_result(study, datasets, runs, states, rows=[]), expected_seconds(study, runs, states))
    with _alone(home):
        refuse_changes(study, datasets, restart=restart, only=only, keep=True)
        _execute(study, [run for run in runs if not only or run.method.name in only], home, tell)
        states, rows = _measure(study, runs, home, tell)
        write_preparations(home, study, datasets)
        result = collect_result(study, datasets, runs, states, rows=rows)
        return StudyState(result, 0.0)


def _check_names(study: StudyFile, only: Sequence[str]) -> None:
    if unknown := sorted(set(only) - {method.name for method in study.methods}):
        raise UsageError(
            f"the study has no method {', '.join(unknown)}",
            expected=", ".join(method.name for method in study.methods),
            found=", ".join(only),
            fix="choose one of those",
        )


@contextlib.contextmanager
def _alone(home: StudyFolder) -> Iterator[None]:
    """Hold the study's folder, or refuse: two commands on one study would do every run twice."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    home.root.mkdir(parents=True, exist_ok=True)
    with home.lock_file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                "another command works on this study", found=str(home.root), fix="wait for it, or end it with Ctrl-C"
            ) from error
        yield


def _execute(study: StudyFile, runs: Sequence[PlannedRun], home: StudyFolder, tell: Tell) -> None:
    """Preparations first, then the runs whose preparation is done."""
    open_runs = [run for run in runs if not _is_done(run.folder)]
    builder = JobBuilder(study)
    preparations: dict[str, Path] = {}
    for run in open_runs:
        folder = home.preparation(run.dataset.name, run.method.name)
        if not _is_done(folder) and str(folder) not in map(str, preparations.values()):
            job = builder.preparation(run)
            if job is not None:
                job.save(Job.file(folder))
                preparations[job.key] = folder
    _dispatch(preparations, study, home, tell)
    jobs: dict[str, Path] = {}
    for run in open_runs:
        shared = JobRecord.of(home.preparation(run.dataset.name, run.method.name))
        if run.method.predictions is None and (shared is None or shared.status != "done"):
            error = f"preparation: {shared.error if shared else 'not done'}"
            before = JobRecord.of(run.folder) or JobRecord(key=run.key, status="failed")
            before.model_copy(update={"status": "failed", "error": error}).save(JobRecord.file(run.folder))
            tell(run.key, "failed", error)
            continue
        builder.run(run).save(Job.file(run.folder))
        jobs[run.key] = run.folder
    _dispatch(jobs, study, home, tell)


def _dispatch(jobs: Mapping[str, Path], study: StudyFile, home: StudyFolder, tell: Tell) -> None:
    if study.run_on.slurm is not None:
        run_slurm(jobs, array=study.run_on.slurm, folder=home.slurm, tell=tell)
    elif study.run_on.local is not None:
        run_local(jobs, workers=study.run_on.local.workers, tell=tell)


def _is_done(folder: Path) -> bool:
    record = JobRecord.of(folder)
    return record is not None and record.is_done(folder)


def _status(run: PlannedRun, home: StudyFolder) -> RunStatus:
    record = JobRecord.of(run.folder)
    if run.key in live_jobs(home.slurm):
        return "running" if record is not None and record.status == "running" else "waiting"
    if record is None or (record.status == "done" and not record.is_done(run.folder)):
        return "waiting"
    return "waiting" if record.status == "running" else record.status


def _measure(
    study: StudyFile, runs: Sequence[PlannedRun], home: StudyFolder, tell: Tell
) -> tuple[dict[str, RunStatus], list[StudyRow]]:
    states: dict[str, RunStatus] = {}
    rows: list[StudyRow] = []
    for run in runs:
        states[run.key] = _status(run, home)
        record = JobRecord.of(run.folder)
        if states[run.key] != "done" or record is None:
            continue
        try:
            rows += evaluate_run(run, record, study.evaluation)
        except MedarchError as error:
            # A run whose predictions cannot be measured costs only itself.
            states[run.key] = "failed"
            record.model_copy(update={"status": "failed", "error": f"evaluation: {error}"}).save(
                JobRecord.file(run.folder)
            )
            tell(run.key, "failed", str(error))
    return states, rows
