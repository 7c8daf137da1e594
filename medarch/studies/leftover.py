"""Which session works in a folder, so that one that outlived a killed command can be ended before a new one starts."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from medarch.core.files import write_text
from medarch.core.record import Record
from medarch.studies.process_tree import end_session

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Leftover(Record):
    """``session.json`` beside a running job."""

    host: str
    boot: str
    session: int
    started: str
    """Start time of its leader in /proc; tells it from a later process of the same number."""

    @classmethod
    @contextlib.contextmanager
    def marked(cls, folder: Path, session: int) -> Iterator[None]:
        """Keep the mark while the session runs."""
        file = folder / "session.json"
        mark = cls(host=socket.gethostname(), boot=_boot(), session=session, started=_start_time(session))
        write_text(file, mark.to_json())
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    @classmethod
    def end(cls, folder: Path) -> None:
        """End what an earlier, killed command left running for this folder on this machine."""
        file = folder / "session.json"
        if not file.exists():
            return
        mark = cls.load(file)
        here = mark.host == socket.gethostname() and mark.boot == _boot()
        # No leader but living members: they are ours, for a session's number is not given away while they live.
        if here and _start_time(mark.session) in ("", mark.started):
            end_session(mark.session)
        file.unlink(missing_ok=True)


def _boot() -> str:
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def _start_time(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "" if os.name == "posix" else "unknown"
