"""What came of averaging a group of images."""

from __future__ import annotations

from typing import Literal

from medarch.core.record import Record


class TemplateReport(Record):
    """A template: of whom, how, and where each member's transform is."""

    schema_version: Literal[1] = 1
    template: str
    """File of the mean image, in the output folder."""
    transforms: dict[str, str]
    """Member → file: points of the template → points of the member."""
    rounds: int
    settings: dict[str, object]
    drift_mm: tuple[float, ...]
    """How far the mean shape moved in each round, on average."""
    seconds: float
