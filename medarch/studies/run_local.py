"""Jobs on this machine, a few at a time."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from medarch.studies.execute_job import execute_job
from medarch.studies.job import Job
from medarch.studies.tell import Tell


def run_local(jobs: Mapping[str, Path], *, workers: int, tell: Tell) -> None:
    """Do jobs in ``workers`` threads, each job's commands in processes of their own; run.json says what became of each.

    With several workers and GPUs each worker keeps to one GPU. Ctrl-C ends the running commands first.
    """
    if not jobs:
        return
    stop = threading.Event()
    gpus = _gpus() if workers > 1 else []
    free: SimpleQueue[str | None] = SimpleQueue()
    for worker in range(workers):
        free.put(gpus[worker % len(gpus)] if gpus else None)

    def do(key: str, folder: Path) -> None:
        if stop.is_set():
            return
        gpu = free.get()
        try:
            if gpu is not None:
                _pin(folder, gpu)
            tell(key, "running", "")
            record = execute_job(folder, stop)
            tell(key, record.status, record.error)
        finally:
            free.put(gpu)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(do, key, folder) for key, folder in jobs.items()]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            # Ctrl-C, or a fault of ours: nothing may go on without this command.
            stop.set()
            pool.shutdown(cancel_futures=True)


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(index) for index, _ in enumerate(asked.stdout.splitlines())]


def _pin(folder: Path, gpu: str) -> None:
    job = Job.load(Job.file(folder))
    job.model_copy(update={"environment": job.environment | {"CUDA_VISIBLE_DEVICES": gpu}}).save(Job.file(folder))
