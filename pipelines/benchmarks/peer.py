"""What every comparison with nnU-Net needs: its Python, its folders, and a stopwatch for a whole process tree."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE_SECONDS = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What a command cost."""

    wall_s: float
    cpu_s: float
    """User and system time of all its processes."""
    peak_bytes: int
    """Largest sum over its processes of resident memory that is not a mapped file."""


def find_peer(argument: Path | None) -> Path:
    """Return the Python that has nnU-Net: the argument, ``MEDARCH_PEER_PYTHON``, or ``../envs/peer``."""
    candidate = argument or Path(os.environ.get("MEDARCH_PEER_PYTHON", REPOSITORY.parent / "envs/peer/bin/python"))
    if not candidate.exists():
        sys.exit(
            f"no Python at {candidate}. Make one:\n  python3 -m venv ../envs/peer && "
            "../envs/peer/bin/pip install nnunetv2==2.8.1\nor name it with --peer-python or MEDARCH_PEER_PYTHON"
        )
    return candidate


def peer_environment(folder: Path) -> dict[str, str]:
    """Return the environment with nnU-Net's three folders inside ``folder``, made if they are not there."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return os.environ | {name: str(folder / name) for name in names}


def measure(command: Sequence[str | Path], *, log: Path, env: dict[str, str] | None = None) -> Cost:
    """Run a command and measure it with all its descendants; its output goes to ``log``.

    Raises:
        SystemExit: the command failed; the message shows the end of the log.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    peak = 0
    with log.open("wb") as stream:
        # A session of its own is how its descendants are recognised.
        process = subprocess.Popen(
            [str(part) for part in command], stdout=stream, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )
        while True:
            try:
                status = process.wait(timeout=SAMPLE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, _session_bytes(process.pid))
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status:
        sys.exit(f"{command} ended with status {status}:\n{log.read_text(errors='replace')[-3000:]}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def print_table(ours: Sequence[Cost], theirs: Sequence[Cost], *, ours_name: str, theirs_name: str) -> float:
    """Print the medians beside each other and return how many times faster ours is by the clock."""
    print(f"\n{'median of runs':<18}{ours_name:>22}{theirs_name:>22}{'ratio':>10}")
    ratios: list[float] = []
    for label, field, scale in (("wall s", "wall_s", 1), ("CPU s", "cpu_s", 1), ("peak MB", "peak_bytes", 1e6)):
        mine, other = (statistics.median(getattr(cost, field) / scale for cost in costs) for costs in (ours, theirs))
        ratios.append(other / mine)
        print(f"{label:<18}{mine:>22.2f}{other:>22.2f}{other / mine:>9.1f}x")
    for name, costs in ((ours_name, ours), (theirs_name, theirs)):
        print(f"{name}, each run, wall s: {', '.join(f'{cost.wall_s:.2f}' for cost in costs)}")
    return ratios[0]


def _session_bytes(session: int) -> int:
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            _, resident, shared, *_ = (folder / "statm").read_text().split()
        except (OSError, IndexError):  # the process has just ended
            continue
        total += (int(resident) - int(shared)) * PAGE_BYTES
    return total
