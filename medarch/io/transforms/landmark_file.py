"""What landmark files have in common: suffixes, coordinate systems, the columns of 3D Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.core.errors import TransformError

LANDMARK_SUFFIXES = (".csv", ".fcsv")
System = Literal["RAS", "LPS"]
SYSTEMS: dict[str, System] = {"RAS": "RAS", "LPS": "LPS", "0": "RAS", "1": "LPS"}
"""What a ``# CoordinateSystem =`` line may say; the numbers are those of 3D Slicer before 4.11."""
FCSV_COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID")


def landmark_suffix(path: Path) -> str:
    """Return ``.csv`` or ``.fcsv``.

    Raises:
        TransformError: the suffix is another one.
    """
    if (suffix := path.suffix.lower()) in LANDMARK_SUFFIXES:
        return suffix
    raise TransformError(
        f"{path} is no landmark file", expected=".csv or .fcsv (3D Slicer)", found=path.name, fix="choose one of those"
    )
