"""What was found in a volume, in numbers."""

from __future__ import annotations

from typing import Literal

from medarch.core.geometry import Triple
from medarch.core.record import Record


class VolumeSummary(Record):
    """The same whenever the volume is predicted again; times are in the ledger."""

    schema_version: Literal[1] = 1
    volume: str
    shape: Triple
    """Of the file, i, j, k."""
    spacing_mm: tuple[float, float, float]
    network_spacing_mm: tuple[float, float, float]
    """Of what the network saw, along its own axes."""
    nuclei: int
    classes: dict[str, int]
    """Nuclei of each class."""
    per_mm3: dict[str, float]
    mean_volume_um3: dict[str, float]
    """Of each class that occurs."""
    warnings: tuple[str, ...] = ()
