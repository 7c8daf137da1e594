"""Which of a plan's trained configurations, alone or in pairs, predicts best, and how to predict with it."""

from __future__ import annotations

from typing import Literal

from medarch.core.postprocessing import Postprocessing
from medarch.core.record import Record


class Candidate(Record):
    """One configuration, or several whose probabilities are averaged."""

    configurations: tuple[str, ...]
    dsc: float
    """Mean foreground DSC over all cross-validation cases, without postprocessing (nnU-Net's mean: over classes)."""


class Selection(Record):
    """``selection.json`` in the plan's folder; models are named relative to it."""

    schema_version: Literal[1] = 1
    dataset: str
    plan: str
    folds: tuple[str, ...]
    cases: int
    """In the cross-validation."""
    candidates: tuple[Candidate, ...]
    winner: tuple[str, ...]
    postprocessing: Postprocessing
    """Chosen on the winner's cross-validation."""
    commands: tuple[str, ...]
    """The first runs the winner in one pass; the others do the same step by step."""
