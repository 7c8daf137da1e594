"""A folder that is there complete or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``target``; on success its files are fsynced and it takes target's place.

    A folder that is there already is moved aside first and removed last. On any error it is left as it was, and the
    temporary folder is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{target.name}-", dir=target.parent))
    try:
        new = temporary / "new"
        new.mkdir()
        yield new
        for folder, _, names in os.walk(new):
            for path in (*(Path(folder, name) for name in names), Path(folder)):
                _sync(path)
        if target.exists():
            target.rename(temporary / "old")
        try:
            new.rename(target)
        except OSError:
            if (temporary / "old").exists():
                (temporary / "old").rename(target)
            raise
        _sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
