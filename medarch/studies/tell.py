"""How a study tells what becomes of its runs."""

from __future__ import annotations

from collections.abc import Callable

from medarch.core.study import RunStatus

Tell = Callable[[str, RunStatus, str], None]
"""Called with a run's (or preparation's) key, its new status, and why or how."""


def tell_nobody(key: str, status: RunStatus, detail: str) -> None:
    """The default."""
