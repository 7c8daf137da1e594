"""What a file's header says, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from medarch.core.geometry import Geometry, Triple
from medarch.io.fault import fault

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NRRD and MetaImage count towards left and posterior, NIfTI and medarch towards right and anterior."""
SINGULAR = 1e-4
"""Smallest determinant of the unit axis directions that still counts as three independent axes."""


class Doubt(NamedTuple):
    """What is odd about a readable header: a check code of topic ``grid``, and its words."""

    code: str
    expected: str
    found: str


@dataclass(frozen=True)
class VolumeHeader:
    """Where the voxels lie in the file and in the patient."""

    shape: Triple
    channels: int
    dtype: np.dtype
    """On disk, with byte order."""
    affine: np.ndarray
    """``(4, 4)``, RAS+ millimetres."""
    offset: int
    """Bytes before the voxels (before decompression if ``encoding`` is deflate)."""
    encoding: Literal["raw", "deflate"] = "raw"
    interleaved: bool = False
    """Whether the channels of a voxel lie side by side; otherwise one channel follows the other."""
    slope: float = 1.0
    intercept: float = 0.0
    data_file: Path | None = None
    """The file with the voxels, if it is not the one with the header."""
    doubts: tuple[Doubt, ...] = ()

    def geometry(self, path: Path) -> Geometry:
        """Return the grid.

        Raises:
            GeometryError: the affine is singular or not finite (``BAD_AFFINE``).
        """
        columns = self.affine[:3, :3]
        lengths = np.sqrt((columns**2).sum(axis=0))
        if not np.isfinite(self.affine).all() or lengths.min() <= 0 or abs(np.linalg.det(columns / lengths)) < SINGULAR:
            rows = "; ".join(" ".join(f"{value:.4g}" for value in row) for row in self.affine[:3])
            raise fault("BAD_AFFINE", path, expected="three independent axis directions", found=rows)
        return Geometry.from_array(self.shape, self.affine)
