"""Do a job: its steps one after the other, each in a session of its own, and a record of what became of it."""

from __future__ import annotations

import json
import math
import platform
import shutil
import subprocess
import threading
import time
from pathlib import Path

from medarch.core.folder_lock import folder_lock
from medarch.core.parallel import cpu_count
from medarch.studies.job import PREDICTIONS, Job, JobRecord, Spent, Step, file_sha256, find_predictions
from medarch.studies.last_words import last_words
from medarch.studies.leftover import Leftover
from medarch.studies.measure_command import Measured, measure_command

HEARTBEAT_S = 10.0


def execute_job(folder: Path, stop: threading.Event | None = None) -> JobRecord:
    """Do the job that ``folder/job.json`` describes; write and return ``folder/run.json``.

    The same function runs in the local pool and inside a Slurm task. A command that crashes makes the job failed and
    raises nothing. Steps that succeeded before and whose product is there are not run again.

    Args:
        folder: of the job.
        stop: when set, the running step is ended and the job is ``waiting`` again.
    """
    job = Job.load(Job.file(folder))
    with folder_lock(folder):
        Leftover.end(folder)
        before = JobRecord.of(folder) or JobRecord(key=job.key, status="waiting")
        if before.is_done(folder):
            return before
        gpu = _gpu_name() if job.device in ("auto", "cuda") else ""
        start = {"status": "running", "attempts": before.attempts + 1, "error": "", "outputs": {}}
        record = before.model_copy(update=start | {"device": gpu or _cpu_name(), "on_gpu": bool(gpu)})
        record.save(JobRecord.file(folder))
        for step in job.steps:
            if _is_finished(step, record):
                continue
            record = _execute_step(step, job, record, folder, stop)
            if record.status != "running":
                break
        if record.status == "running":
            record = _finish(job, record, folder)
        record.save(JobRecord.file(folder))
        return record


def _is_finished(step: Step, record: JobRecord) -> bool:
    return step.name in record.finished_steps and step.product is not None and step.product.exists()


def _execute_step(step: Step, job: Job, record: JobRecord, folder: Path, stop: threading.Event | None) -> JobRecord:
    attempt = record.attempts
    earlier = tuple(spent for spent in record.spent if spent.step != step.name or step.goes_on)
    used_s = sum(spent.wall_s for spent in record.spent if spent.attempt == attempt)
    saved = time.monotonic()

    def with_cost(measured: Measured) -> JobRecord:
        cost = Spent(
            step=step.name, attempt=attempt, wall_s=round(measured.wall_s, 2), cpu_s=round(measured.cpu_s, 2),
            peak_bytes=measured.peak_bytes, peak_gpu_bytes=measured.peak_gpu_bytes,
        )  # fmt: skip
        return record.model_copy(update={"spent": (*earlier, cost)})

    def heartbeat(measured: Measured) -> None:
        # What a job that is killed with its node has used is known to within this.
        nonlocal saved
        if time.monotonic() - saved >= HEARTBEAT_S:
            with_cost(measured).save(JobRecord.file(folder))
            saved = time.monotonic()

    measured = measure_command(
        step.command,
        folder=folder,
        log=folder / "log.txt",
        environment=job.environment,
        limit_s=None if job.limit_s is None else max(0.0, job.limit_s - used_s),
        on_gpu=record.on_gpu,
        stop=stop,
        every_sample=heartbeat,
    )
    after = with_cost(measured)
    if measured.ended_by == "stop":
        return after.model_copy(update={"status": "waiting", "error": "interrupted"})
    if measured.ended_by == "limit":
        return after.model_copy(update={"status": "failed", "error": f"{step.name}: took longer than the timeout"})
    if measured.status != 0:
        words = last_words(folder / "log.txt", measured.status)
        return after.model_copy(update={"status": "failed", "error": f"{step.name}: {words}"})
    return after.model_copy(update={"finished_steps": (*{*after.finished_steps, step.name},)})


def _finish(job: Job, record: JobRecord, folder: Path) -> JobRecord:
    target = folder / PREDICTIONS
    if job.finished_predictions:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in job.finished_predictions.values():
            (target / path.name).symlink_to(path)
    found = find_predictions(target)
    if missing := [case for case in job.cases if case not in found]:
        error = f"no prediction of {len(missing)} case(s): {', '.join(missing[:10])}"
        return record.model_copy(update={"status": "failed", "error": error})
    outputs = {case: file_sha256(found[case]) for case in job.cases}
    facts = json.loads((folder / "facts.json").read_text()) if (folder / "facts.json").exists() else {}
    parameters = facts.get("parameters", _parameters(folder))
    return record.model_copy(
        update={"status": "done", "outputs": outputs, "parameters": parameters, "software": facts.get("software", {})}
    )


def _parameters(folder: Path) -> int | None:
    """Numbers in the weights of the medarch model that the run trained."""
    for path in folder.glob("workspace/*/*/*/model/weights_*.safetensors"):
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return sum(int(math.prod(entry["shape"])) for name, entry in header.items() if name != "__metadata__")
    return None


def _gpu_name() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    asked = subprocess.run(query, capture_output=True, text=True, check=False)
    return asked.stdout.split("\n")[0].strip() if asked.returncode == 0 else ""


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{cpu_count()} cores of {models[0] if models else platform.processor() or platform.machine()}"
