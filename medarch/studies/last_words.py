"""What a failed command said last that means something."""

from __future__ import annotations

import re
import signal
from pathlib import Path

TAIL_BYTES = 20_000
LINES = 6
_PROGRESS = re.compile(r"\d+%\|.*\|| \d+(\.\d+)?(it|s|case)/(s|it|case)")


def last_words(log: Path, status: int | None) -> str:
    """Return the exit status in words and the last lines of the log, progress bars and blank lines left out.

    After a Python traceback only its last line and what follows are kept.
    """
    ended = _spoken(status)
    if not log.exists():
        return ended
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
        text = stream.read().decode("utf-8", "replace").replace("\r", "\n")
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _PROGRESS.search(line)]
    traceback = max(
        (index for index, line in enumerate(lines) if line.startswith("Traceback (most recent")), default=-1
    )
    if traceback >= 0:
        rest = [line for line in lines[traceback + 1 :] if not line.startswith(" ")]
        lines = rest or lines[traceback:]
    return "\n".join([ended, *lines[-LINES:]])


def _spoken(status: int | None) -> str:
    if status is None:
        return "ended without an exit status"
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    memory = " (out of memory, if nobody killed it)" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"
