"""Where voxels lie in the patient: shape, affine, orientation, and whether two grids agree.

Convention: arrays are indexed ``[i, j, k]`` as stored in the file; ``affine`` maps ``(i, j, k, 1)`` to millimetres
in **RAS+** (x to the right, y to the front, z to the head), as in NIfTI and nibabel.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from medarch.core.errors import GeometryError
from medarch.core.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SPACING_TOLERANCE_MM = 1e-3
"""Two spacings are equal when they differ by less (per axis), see :func:`spacing_tolerance_mm`."""
SPACING_TOLERANCE_SHARE = 0.01
"""Voxels of a microscope are micrometres long: there the tolerance is this share of a voxel's edge."""
POSITION_TOLERANCE_VOXELS = 0.1
"""Two grids agree when no corner voxel's centre moves by more than this share of the smallest voxel edge."""
ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest cosine between two axes that still counts as a right angle."""

Triple = tuple[int, int, int]
Row = tuple[float, float, float, float]


def spacing_tolerance_mm(spacing_mm: float) -> float:
    """Return by how much another spacing may differ from this one and still count as equal."""
    return min(SPACING_TOLERANCE_MM, SPACING_TOLERANCE_SHARE * spacing_mm)


def _affine_rows(rows: tuple[Row, Row, Row, Row]) -> tuple[Row, Row, Row, Row]:
    if rows[3] != (0.0, 0.0, 0.0, 1.0):
        raise ValueError("the last affine row must be 0 0 0 1")
    return rows


class Geometry(Record):
    """The grid of a 3D volume. A 2D image has shape ``(I, J, 1)``."""

    shape: Triple
    affine: Annotated[tuple[Row, Row, Row, Row], AfterValidator(_affine_rows)]

    @classmethod
    def from_array(cls, shape: Sequence[int], affine: npt.ArrayLike) -> Geometry:
        """Build from a shape ``(I, J, K)`` and a ``(4, 4)`` affine."""
        import numpy as np

        matrix = np.asarray(affine, dtype=float)
        rows: Any = tuple(tuple(float(value) for value in row) for row in matrix)
        i, j, k = (int(size) for size in shape)
        return cls(shape=(i, j, k), affine=rows)

    @property
    def matrix(self) -> np.ndarray:
        """The affine as a ``(4, 4)`` float64 array."""
        import numpy as np

        return np.array(self.affine, dtype=np.float64)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel edge lengths along i, j, k in millimetres."""
        import numpy as np

        i, j, k = np.sqrt((self.matrix[:3, :3] ** 2).sum(axis=0))
        return float(i), float(j), float(k)

    @property
    def axcodes(self) -> str:
        """Closest anatomical direction of each axis, e.g. ``"RAS"`` or ``"LPS"``.

        Raises:
            GeometryError: the affine is singular.
        """
        import numpy as np

        directions = self.matrix[:3, :3] / np.maximum(self.spacing_mm, 1e-30)
        if abs(np.linalg.det(directions)) < 1e-4:
            raise GeometryError(
                "the affine is singular",
                expected="three independent axis directions",
                found=f"determinant {np.linalg.det(self.matrix[:3, :3]):.3g}",
                fix="write a correct affine into the file (its sform or qform)",
            )
        # The assignment of file axes to patient axes with the largest total alignment.
        world = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(abs(directions[order[axis], axis]) for axis in range(3)),
        )
        return "".join(("RAS" if directions[world[axis], axis] > 0 else "LPI")[world[axis]] for axis in range(3))

    @property
    def is_orthogonal(self) -> bool:
        """Whether the axes stand at right angles (no shear)."""
        import numpy as np

        directions = self.matrix[:3, :3] / np.maximum(self.spacing_mm, 1e-30)
        gram = directions.T @ directions
        return bool(np.abs(gram - np.eye(3)).max() < ORTHOGONALITY_TOLERANCE)

    def reoriented(self, axcodes: str) -> tuple[Geometry, Triple, tuple[bool, bool, bool]]:
        """Return the grid in another orientation, and how to get there.

        Args:
            axcodes: the wanted directions, e.g. ``"RAS"``.

        Returns:
            ``(geometry, permutation, flips)``: apply to an array ``a`` of this grid as
            ``a.transpose(permutation)`` and then flip each axis with ``flips`` true.
        """
        import numpy as np

        current = self.axcodes
        opposite = str.maketrans("RLAPSI", "LRPAIS")
        pairs = {code: axis for axis, code in enumerate(current)}
        pairs |= {code.translate(opposite): axis for axis, code in enumerate(current)}
        if sorted(pairs.get(code, -1) for code in axcodes) != [0, 1, 2]:
            raise GeometryError(
                f"{axcodes!r} is not an orientation",
                expected="one letter of each pair R/L, A/P, S/I, such as RAS",
                found=axcodes,
            )
        permutation = tuple(pairs[code] for code in axcodes)
        flips = tuple(current[axis] != code for axis, code in zip(permutation, axcodes, strict=True))
        shape = tuple(self.shape[axis] for axis in permutation)
        move = np.zeros((4, 4))
        move[3, 3] = 1.0
        for new, (old, flip) in enumerate(zip(permutation, flips, strict=True)):
            move[old, new] = -1.0 if flip else 1.0
            if flip:
                move[old, 3] = shape[new] - 1
        geometry = Geometry.from_array(shape, self.matrix @ move)
        return geometry, permutation, flips  # type: ignore[return-value]

    def differences(self, other: Geometry) -> list[str]:
        """Say in words how ``other`` lies differently; an empty list when both are one grid."""
        import numpy as np

        if self.shape != other.shape:
            return [f"shape {self.shape} against {other.shape}"]
        found = []
        gaps = np.abs(np.subtract(self.spacing_mm, other.spacing_mm))
        if any(gap > spacing_tolerance_mm(mm) for gap, mm in zip(gaps, self.spacing_mm, strict=True)):
            found.append(f"spacing {_mm(self.spacing_mm)} against {_mm(other.spacing_mm)}")
        corners = np.array(list(itertools.product(*[(0, size - 1) for size in self.shape])))
        homogeneous = np.c_[corners, np.ones(len(corners))]
        moved = np.linalg.norm(homogeneous @ (self.matrix - other.matrix).T, axis=1).max()
        limit = POSITION_TOLERANCE_VOXELS * min(self.spacing_mm)
        if moved > limit and not found:
            found.append(f"a corner voxel lies {moved:.3g} mm apart (at most {limit:.3g} mm)")
        return found


def _mm(values: Sequence[float]) -> str:
    return "×".join(f"{value:.4g}" for value in values) + " mm"
