"""What was found on a slide, in numbers."""

from __future__ import annotations

from typing import Literal

from medarch.core.record import Record


class SlideSummary(Record):
    """The same for every chunk size, number of workers and interruption; times are in the ledger."""

    schema_version: Literal[1] = 1
    slide: str
    reader: str
    size: tuple[int, int]
    """Width and height of level 0."""
    mpp: float
    """Micrometres a level-0 pixel."""
    network_mpp: float
    """Micrometres a pixel of what the network saw."""
    resampled: bool
    tissue_mm2: float
    nuclei: int
    classes: dict[str, int]
    """Nuclei of each class."""
    per_mm2: dict[str, float]
    """The same a mm² of tissue; empty without tissue."""
    mean_area_um2: dict[str, float]
    """Mean area of each class that occurs."""
    warnings: tuple[str, ...] = ()
