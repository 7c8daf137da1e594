"""One table of a study, as text, before any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StudyTable:
    """Text in rows and columns."""

    key: str
    """What it is, so that a format can treat it its own way: ``scores``, ``classes``, ``spread``, ``pairs``,
    ``others``, ``ranks``, ``costs``, ``runs`` or ``mean-ranks``."""
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset({0})
    """Columns of words, aligned to the left; the others hold numbers."""
    note: str = ""
