"""Every problem of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.core.check import CheckReport


def check(
    source: Path, *, waive: Sequence[str] = (), workers: int | None = None, progress: Progress | None = None
) -> CheckReport:
    """List every problem of a dataset at once."""
    from medarch.io.check_dataset import check_dataset

    return check_dataset(source, waive=waive, workers=workers, progress=progress)
