"""Formats that hold rotations and no shear."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import GeometryError
from medarch.core.geometry import Geometry


def require_right_angles(geometry: Geometry, path: Path) -> None:
    """Refuse a sheared grid for a .nrrd or .mha file.

    Raises:
        GeometryError: the axes are not at right angles.
    """
    if not geometry.is_orthogonal:
        raise GeometryError(
            f"{path.suffix} cannot hold sheared axes",
            expected="axes at right angles",
            fix="write .nii.gz, or resample to a rectangular grid",
        )
