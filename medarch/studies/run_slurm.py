"""Jobs as a Slurm array. The engine is Slurm's, through submitit; only result files say what is done."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medarch.core.errors import UsageError
from medarch.core.record import Record
from medarch.studies.execute_job import execute_job
from medarch.studies.job import JobRecord
from medarch.studies.last_words import last_words
from medarch.studies.study_file import SlurmArray
from medarch.studies.tell import Tell

POLL_S = 2.0
GRACE_S = 5.0
"""Between Slurm's word that a job has ended and ours that it failed: a shared file system shows files late."""
LIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "RESIZING", "SUSPENDED", "SIGNALING",
        "STAGE_OUT", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "STOPPED"}  # fmt: skip


class _SlurmJob(Record):
    id: str
    attempts_before: int
    """A run.json with no more attempts than these was written before this job."""


class _Kept(Record):
    """``jobs.json``: what was submitted, by key."""

    jobs: dict[str, _SlurmJob] = {}

    @staticmethod
    def file(folder: Path) -> Path:
        return folder / "jobs.json"

    @classmethod
    def of(cls, folder: Path) -> _Kept:
        return cls.load(cls.file(folder)) if cls.file(folder).exists() else cls()


def run_slurm(jobs: Mapping[str, Path], *, array: SlurmArray, folder: Path, tell: Tell) -> None:
    """Submit what Slurm does not hold already, and wait until every job is done or failed.

    Ctrl-C leaves the jobs with Slurm: their ids are in ``folder/jobs.json`` and the next call waits for them. A job
    that Slurm no longer runs and whose run.json does not say done is marked failed, with the state Slurm gives.

    Raises:
        UsageError: submitit or Slurm's commands are not installed, or Slurm refuses the array.
    """
    if not jobs:
        return
    kept = _Kept.of(folder)
    alive = live_jobs(folder)
    fresh = {key: path for key, path in jobs.items() if key not in alive}
    submitted = {
        key: _SlurmJob(id=job, attempts_before=_attempts(jobs[key]))
        for key, job in _submit(fresh, array=array, folder=folder).items()
    }
    kept = _Kept(jobs=kept.jobs | submitted)
    kept.save(_Kept.file(folder))
    for key in jobs:
        tell(key, "waiting", f"{'with' if key in fresh else 'already with'} Slurm as {kept.jobs[key].id}")
    _wait(jobs, kept.jobs, tell=tell)


def live_jobs(folder: Path) -> dict[str, str]:
    """Return the ids of jobs that Slurm holds for this study, by key.

    Raises:
        UsageError: jobs were submitted, and Slurm does not answer.
    """
    known = {key: job.id for key, job in _Kept.of(folder).jobs.items()}
    states = slurm_states(list(known.values()))
    if states is None:
        raise UsageError(
            "Slurm does not answer", expected="squeue to know the jobs of this study", found="no answer",
            fix=f"try again later; or remove {_Kept.file(folder)} if these jobs are gone for good",
        )  # fmt: skip
    return {key: job for key, job in known.items() if states.get(job) in LIVE}


def slurm_states(ids: list[str]) -> dict[str, str] | None:
    """Return Slurm's state of each job it remembers (``{"12_0": "RUNNING"}``), or None if it does not answer."""
    if not ids:
        return {}
    arrays = ",".join(sorted({job.partition("_")[0] for job in ids}))
    query = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={arrays}"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode != 0:
        return {} if "Invalid job id" in asked.stderr else None
    rows = (line.strip().split("|") for line in asked.stdout.splitlines() if "|" in line)
    return {row[0]: row[1] for row in rows}


def _submit(jobs: Mapping[str, Path], *, array: SlurmArray, folder: Path) -> dict[str, str]:
    if not jobs:
        return {}
    _require_submitit()
    from submitit.core.utils import FailedJobError

    try:
        executor = slurm_executor(array, folder / "submitit")
        submitted = executor.map_array(execute_job, list(jobs.values()))
    except (RuntimeError, FailedJobError) as error:
        raise UsageError(
            "Slurm did not take the jobs", expected="sbatch on the PATH and a partition that fits run_on.slurm",
            found=str(error)[-500:], fix="correct run_on.slurm, or use run_on: local",
        ) from error  # fmt: skip
    return {key: job.job_id for key, job in zip(jobs, submitted, strict=True)}


def slurm_executor(array: SlurmArray, folder: Path) -> Any:
    """Return submitit's executor for this array; it keeps its files in ``folder``."""
    import submitit

    parameters = {
        "job_name": "medarch",
        "cpus_per_task": array.cpus,
        "array_parallelism": array.parallel,
        "partition": array.partition,
        "mem": None if array.memory_gb is None else f"{round(array.memory_gb * 1024)}M",
        "gpus_per_node": array.gpus or None,
    }
    executor = submitit.SlurmExecutor(folder)
    executor.update_parameters(**{name: value for name, value in parameters.items() if value is not None})
    # Not left out: without a word about time submitit asks for five minutes. None leaves it to the partition.
    executor.update_parameters(time=None if array.time is None else max(1, round(array.time / 60)))
    return executor


def _require_submitit() -> None:
    if importlib.util.find_spec("submitit") is None:
        raise UsageError("run_on: slurm needs submitit", found="not installed", fix="pip install 'medarch[slurm]'")


def _wait(jobs: Mapping[str, Path], held: Mapping[str, _SlurmJob], *, tell: Tell) -> None:
    """Poll both: run.json, and Slurm."""
    open_jobs = dict(jobs)
    told: set[str] = set()
    ended_at: dict[str, float] = {}
    while open_jobs:
        states = slurm_states([held[key].id for key in open_jobs])
        for key, path in list(open_jobs.items()):
            record = JobRecord.of(path)
            if record is not None and record.attempts <= held[key].attempts_before:
                record = None  # of an earlier job
            if record is not None and record.status in ("done", "failed"):
                tell(key, record.status, record.error)
                del open_jobs[key]
                continue
            if record is not None and key not in told:
                told.add(key)
                tell(key, "running", f"Slurm {held[key].id}")
            state = "unknown" if states is None else states.get(held[key].id, "forgotten")
            if states is None or state in LIVE:
                ended_at.pop(key, None)
            elif time.monotonic() - ended_at.setdefault(key, time.monotonic()) > GRACE_S:
                error = _mark_failed(key, path, f"Slurm job {held[key].id}: {state}")
                tell(key, "failed", error)
                del open_jobs[key]
        if open_jobs:
            time.sleep(POLL_S)


def _mark_failed(key: str, folder: Path, state: str) -> str:
    record = JobRecord.of(folder) or JobRecord(key=key, status="failed")
    words = last_words(folder / "log.txt", None).partition("\n")[2]
    error = f"{state}\n{words}".strip()
    record.model_copy(update={"status": "failed", "error": error, "attempts": max(1, record.attempts)}).save(
        JobRecord.file(folder)
    )
    return error


def _attempts(folder: Path) -> int:
    record = JobRecord.of(folder)
    return record.attempts if record is not None else 0
