"""A pair to register."""

from __future__ import annotations

from medarch.core.dataset import Case
from medarch.core.record import Record


class PairInput(Record):
    """Two cases and a name for what becomes of them; label maps and landmarks are taken along where they are known."""

    id: str
    fixed: Case
    moving: Case


def pair_id(fixed: str, moving: str) -> str:
    """Return ``MOVING_to_FIXED``."""
    return f"{moving}_to_{fixed}"
