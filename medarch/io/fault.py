"""The errors of this room, worded by the table of check codes."""

from __future__ import annotations

from pathlib import Path

from medarch.core.check import CODES
from medarch.core.errors import GeometryError, MedarchError, VolumeError


def fault(code: str, path: Path, *, expected: str = "", found: str = "") -> MedarchError:
    """Return the error of a check code: a GeometryError for those about grids, else a VolumeError."""
    entry = CODES[code]
    kind = GeometryError if entry.topic == "grid" else VolumeError
    return kind(f"{code} {path}: {entry.meaning}", expected=expected, found=found, fix=entry.fix, check=code)
