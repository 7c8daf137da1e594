"""Run a command in a session of its own and measure it, with all its descendants, from outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medarch.studies.leftover import Leftover
from medarch.studies.process_tree import end_session, gpu_bytes, session_processes

SAMPLE_S = 0.2
GPU_SAMPLE_S = 2.0
GRACE_S = 10.0
"""Between the request to end and the kill."""
_ON_A_LINE = 'read -r _ && exec "$@" </dev/null'
"""A shell that becomes the command when it is told to, and ends if whoever should tell it is killed before."""


@dataclass
class Measured:
    """What a command used so far, or in all."""

    status: int | None = None
    """Exit status; negative for a signal; None while it runs."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    peak_gpu_bytes: int | None = None
    ended_by: str = ""
    """``limit`` or ``stop`` if it was ended from here."""
    asked_to_end_s: float = 0.0
    cpu_by_process: dict[int, float] = field(default_factory=dict, repr=False)


def measure_command(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    limit_s: float | None = None,
    on_gpu: bool = False,
    stop: threading.Event | None = None,
    every_sample: Callable[[Measured], None] | None = None,
) -> Measured:
    """Run ``command`` and return its cost. Its output is added to ``log``; nothing of it outlives this call.

    Args:
        command: program and arguments.
        folder: its working folder, which also keeps the mark of the running session.
        log: file that takes standard output and error.
        environment: added to this process's own.
        limit_s: wall-clock after which it is ended.
        on_gpu: ask nvidia-smi for its memory.
        stop: ends it when set.
        every_sample: called with what has been used so far.
    """
    measured = Measured()
    started = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(
            ("/bin/sh", "-c", _ON_A_LINE, "sh", *command), stdout=stream, stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE, cwd=folder, env=os.environ | dict(environment), start_new_session=True,
        )  # fmt: skip
    asked_gpu = -GPU_SAMPLE_S
    with Leftover.marked(folder, process.pid):
        try:
            _start(process)
            while not _ended(process, measured):
                measured.wall_s = time.monotonic() - started
                sample_gpu = on_gpu and measured.wall_s - asked_gpu >= GPU_SAMPLE_S
                asked_gpu = measured.wall_s if sample_gpu else asked_gpu
                _sample(process.pid, measured, gpu=sample_gpu)
                if every_sample is not None:
                    every_sample(measured)
                _end_if_due(process, measured, limit_s, stop)
                time.sleep(SAMPLE_S)
        finally:
            # Workers that outlive their parent, and everything if this process itself is interrupted.
            end_session(process.pid)
            if measured.status is None:
                process.wait()
    measured.wall_s = time.monotonic() - started
    return measured


def _start(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as gate:
        gate.write(b"\n")


def _ended(process: subprocess.Popen[bytes], measured: Measured) -> bool:
    # wait4 and not Popen.wait: it gives this child's own resources, whatever else runs beside it in other threads.
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if pid == 0:
        return False
    process.returncode = measured.status = os.waitstatus_to_exitcode(status)
    # Children that were never waited for are missing in the one, short-lived ones in the other.
    measured.cpu_s = max(usage.ru_utime + usage.ru_stime, sum(measured.cpu_by_process.values()))
    # Its ru_maxrss says nothing: it counts the memory of this process, from which it was forked.
    return True


def _sample(session: int, measured: Measured, *, gpu: bool) -> None:
    processes = list(session_processes(session))
    measured.peak_bytes = max(measured.peak_bytes, sum(one.memory_bytes for one in processes))
    measured.cpu_by_process.update({one.pid: one.cpu_s for one in processes})
    measured.cpu_s = sum(measured.cpu_by_process.values())
    if gpu and (now := gpu_bytes({one.pid for one in processes})) is not None:
        measured.peak_gpu_bytes = max(measured.peak_gpu_bytes or 0, now)


def _end_if_due(
    process: subprocess.Popen[bytes], measured: Measured, limit_s: float | None, stop: threading.Event | None
) -> None:
    """Ask a command to end, and kill it when it does not."""
    if not measured.ended_by:
        if stop is not None and stop.is_set():
            measured.ended_by = "stop"
        elif limit_s is not None and measured.wall_s > limit_s:
            measured.ended_by = "limit"
        else:
            return
        measured.asked_to_end_s = measured.wall_s
        process.terminate()
    elif measured.wall_s - measured.asked_to_end_s > GRACE_S:
        process.kill()
