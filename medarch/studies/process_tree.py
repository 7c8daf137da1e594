"""What the processes of one session use, read from /proc; and their end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class ProcessUse:
    """One process at one moment."""

    pid: int
    cpu_s: float
    """User and system time of its own."""
    memory_bytes: int
    """Resident memory that is not a mapped file."""


def session_processes(session: int) -> Iterator[ProcessUse]:
    """Yield the processes that belong to a session; a process that ends meanwhile is left out."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session or fields[0] == "Z":
                continue
            _, resident, shared, *_ = (folder / "statm").read_text().split()
        except (OSError, IndexError):
            continue
        yield ProcessUse(
            int(folder.name), (int(fields[11]) + int(fields[12])) / _TICKS, (int(resident) - int(shared)) * _PAGE_BYTES
        )


def gpu_bytes(pids: set[int]) -> int | None:
    """Return the GPU memory of these processes, or None where nvidia-smi does not say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return None
    rows = [line.split(",") for line in asked.stdout.splitlines() if line.count(",") == 1]
    used = [int(size) for pid, size in rows if pid.strip().isdigit() and int(pid) in pids and size.strip().isdigit()]
    return sum(used) * 2**20 if used else None


def end_session(session: int) -> None:
    """Kill every process of a session."""
    for process in list(session_processes(session)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
