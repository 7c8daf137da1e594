"""Shared fixtures: real data when it is present, a skip with a reason when it is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
BUSY_S = 60


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real datasets beside the checkout; users do not have them."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture
def busy_core() -> Iterator[None]:
    """Three other programs on the one core that this thread may use."""
    if not hasattr(os, "sched_setaffinity") or not Path("/proc/self/schedstat").exists():
        pytest.skip("this system does not tell how long a thread waits")
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})
    code = f"import time\nend = time.monotonic() + {BUSY_S}\nprint(flush=True)\nwhile time.monotonic() < end: pass"
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    for other in others:
        next(iter(other.stdout or ()))  # it is at work
    yield
    for other in others:
        other.kill()
        other.wait()
    os.sched_setaffinity(0, before)
