"""Seconds that work takes by itself."""

from __future__ import annotations

import time
from pathlib import Path

_TASKS = Path("/proc/self/task")
_NANOSECONDS = 1e-9
DISTURBED = 0.1


class Stopwatch:
    """Wall-clock seconds without those in which other programs had the cores, so that a busy machine does not count.

    Linux notes of each thread how long it was ready and waited for a core (``schedstat``, second number). Work ends
    when its last thread ends, so the longest of these waits is taken off. Elsewhere it is a plain clock.

    Threads that wait actively for each other, as OpenMP's do, burn time of their own while one of them has no core;
    that is counted. With several threads trust ``seconds`` only where not :attr:`disturbed`.
    """

    def __init__(self) -> None:
        self._waits = _waits()
        self._own = time.thread_time()
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the start, at least what the calling thread has worked."""
        passed, waited = self._read()
        # A thread that had nothing to do may have waited longest, and short times are not told exactly.
        return max(passed - waited, time.thread_time() - self._own)

    @property
    def disturbed(self) -> bool:
        """Whether other programs took a tenth of the time or more."""
        passed, waited = self._read()
        return waited >= DISTURBED * passed

    def _read(self) -> tuple[float, float]:
        passed = time.perf_counter() - self._started
        waits = (wait - self._waits.get(thread, 0.0) for thread, wait in _waits().items())
        return passed, max(waits, default=0.0)


def _waits() -> dict[str, float]:
    """Seconds that each thread of this process has waited for a core, by thread."""
    found = {}
    for thread in _TASKS.glob("*"):
        try:
            found[thread.name] = int((thread / "schedstat").read_text().split()[1]) * _NANOSECONDS
        except (OSError, IndexError, ValueError):  # it has just ended, or this kernel does not tell
            continue
    return found
