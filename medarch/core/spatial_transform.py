"""Where a point of the fixed image lies in the moving image: affine maps, displacement fields, chains of both.

Convention: a transform maps points of the **fixed** image to points of the **moving** one, in **RAS+** millimetres;
the moving image is sampled there. Arrays are three-dimensional throughout; a transform of 2D images leaves z alone and
has ``dimension`` 2, by which its files are written as ITK's 2D transforms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from medarch.core.errors import TransformError
from medarch.core.geometry import Geometry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Dimension = Literal[2, 3]
Interpolation = Literal["linear", "bspline"]

IN_PLANE_TOLERANCE = 1e-6
"""Largest entry between x, y and z that still leaves z alone."""


@dataclass(frozen=True, eq=False)
class AffineTransform:
    """``x -> matrix @ (x, 1)``."""

    matrix: np.ndarray
    """``(4, 4)`` float64, RAS+ millimetres, last row 0 0 0 1."""
    dimension: Dimension = 3

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike) -> AffineTransform:
        """Build from ``(4, 4)``, or from ``(3, 3)`` for 2D images.

        Raises:
            TransformError: the matrix has another shape, is not finite or cannot be inverted.
        """
        import numpy as np

        given = np.asarray(matrix, dtype=np.float64)
        if given.shape not in ((4, 4), (3, 3)) or not np.array_equal(given[-1], np.eye(len(given))[-1]):
            raise TransformError(
                "this is no affine transform",
                expected="(4, 4), in 2D (3, 3), with the last row 0 ... 0 1",
                found=f"shape {given.shape}, last row {given[-1].tolist() if given.ndim == 2 else ''}",
            )
        if not np.isfinite(given).all() or abs(np.linalg.det(given)) < 1e-12:
            raise TransformError(
                "the affine transform cannot be inverted",
                expected="finite numbers, determinant not 0",
                found=f"determinant {np.linalg.det(given):.3g}",
                fix="register again, or check the file that it comes from",
            )
        if given.shape == (4, 4):
            return cls(given, 3)
        lifted = np.eye(4)
        lifted[:2, :2], lifted[:2, 3] = given[:2, :2], given[:2, 2]
        return cls(lifted, 2)

    @classmethod
    def from_voxels(cls, matrix: npt.ArrayLike, fixed: Geometry, moving: Geometry) -> AffineTransform:
        """Build from a map of voxel indices of the fixed grid to voxel indices of the moving grid.

        Args:
            matrix: ``(D, D + 1)`` or ``(D + 1, D + 1)``, acting on ``(i, j[, k], 1)``; D = 2 for images ``(I, J, 1)``.
            fixed: the grid of the fixed image.
            moving: the grid of the moving image.
        """
        import numpy as np

        given = np.asarray(matrix, dtype=np.float64)
        size = given.shape[1] - 1
        index = np.eye(4)
        index[:size, :size], index[:size, 3] = given[:size, :size], given[:size, size]
        world = moving.matrix @ index @ np.linalg.inv(fixed.matrix)
        world[3] = (0.0, 0.0, 0.0, 1.0)
        if size == 2 and is_in_plane(moving.matrix) and is_in_plane(fixed.matrix):
            return cls.from_matrix(world[np.ix_((0, 1, 3), (0, 1, 3))])
        return cls.from_matrix(world)


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """``x -> x + u(x)`` inside of the grid, ``x -> x`` outside, as ITK does."""

    vectors: np.ndarray
    """``(3, I, J, K)`` float32 or float64, RAS+ millimetres; of a B-spline its coefficients."""
    geometry: Geometry
    """Where the vectors lie; of 2D images ``(I, J, 1)``."""
    dimension: Dimension = 3
    interpolation: Interpolation = "linear"
    inverted: bool = False
    """Whether the transform is the inverse of that map; it is then solved for point by point."""

    @classmethod
    def from_vectors(
        cls,
        vectors: np.ndarray,
        geometry: Geometry,
        *,
        dimension: Dimension = 3,
        interpolation: Interpolation = "linear",
    ) -> DisplacementField:
        """Build from ``(3, I, J, K)``, RAS+ millimetres.

        Raises:
            TransformError: the vectors are not on the grid or not finite, or a field of 2D images leaves the plane.
        """
        import numpy as np

        if vectors.shape != (3, *geometry.shape):
            raise TransformError(
                "the displacement field is not on its grid",
                expected=f"vectors of shape {(3, *geometry.shape)}",
                found=str(vectors.shape),
            )
        vectors = vectors.astype(np.float64 if vectors.dtype == np.float64 else np.float32, copy=False)
        bad = 0 if np.isfinite(vectors.sum()) else int((~np.isfinite(vectors).all(axis=0)).sum())
        if bad:
            raise TransformError(
                "the displacement field holds numbers that are not finite",
                expected="a displacement in mm at each voxel",
                found=f"NaN or infinity at {bad} of {vectors[0].size} voxels",
                fix="register again; outside of a mask write 0",
            )
        if dimension == 2 and (geometry.shape[2] != 1 or not is_in_plane(geometry.matrix) or vectors[2].any()):
            raise TransformError(
                "the displacement field leaves the plane of its 2D image",
                expected="a grid (I, J, 1) in the plane of x and y, no displacement along z",
                found=f"shape {geometry.shape}",
                fix="use a 3D transform",
            )
        return cls(vectors, geometry, dimension, interpolation)

    @classmethod
    def from_voxels(cls, displacement: np.ndarray, geometry: Geometry) -> DisplacementField:
        """Build from displacements in voxels of the grid, in index order, as the networks give them.

        Args:
            displacement: ``(3, I, J, K)``, or ``(2, I, J)`` for a grid ``(I, J, 1)``; float32 or float64.
            geometry: the grid, that of the fixed image.
        """
        import numpy as np

        size = len(displacement)
        if displacement.ndim != size + 1 or size not in (2, 3) or (size == 2 and geometry.shape[2] != 1):
            raise TransformError(
                "these are no displacements of this grid",
                expected=f"(3, I, J, K), or (2, I, J) for one slice, on a grid of {geometry.shape}",
                found=str(displacement.shape),
            )
        linear = geometry.matrix[:3, :size].astype(displacement.dtype)
        vectors = np.tensordot(linear, displacement, axes=1)
        flat = size == 2 and is_in_plane(geometry.matrix)
        return cls.from_vectors(vectors.reshape(3, *displacement.shape[1:3], -1), geometry, dimension=2 if flat else 3)

    def voxels(self) -> np.ndarray:
        """Return the displacements ``(3, I, J, K)`` in voxels of the grid, index order."""
        import numpy as np

        inverse = np.linalg.inv(self.geometry.matrix[:3, :3]).astype(self.vectors.dtype)
        return np.tensordot(inverse, self.vectors, axes=1)


SpatialTransform: TypeAlias = AffineTransform | DisplacementField


@dataclass(frozen=True)
class TransformChain:
    """Transforms one after the other: ``parts[0]`` acts first on a point of the fixed image.

    That is the order in which ANTs lists them (warp, then affine), and the reverse of ITK's ``CompositeTransform``.
    """

    parts: tuple[SpatialTransform, ...]

    def __post_init__(self) -> None:
        found = {part.dimension for part in self.parts}
        if len(found) > 1:
            raise TransformError(
                "transforms of 2D and of 3D images do not form a chain",
                expected="one dimension",
                found=", ".join(f"{part.dimension}D" for part in self.parts),
            )

    @property
    def dimension(self) -> Dimension:
        """2 or 3; of an empty chain, the identity, 3."""
        return self.parts[0].dimension if self.parts else 3

    def inverse(self) -> TransformChain:
        """Return the map back, from the moving image to the fixed one."""
        import numpy as np

        def invert(part: SpatialTransform) -> SpatialTransform:
            if isinstance(part, AffineTransform):
                return replace(part, matrix=np.linalg.inv(part.matrix))
            return replace(part, inverted=not part.inverted)

        return TransformChain(tuple(invert(part) for part in reversed(self.parts)))


IDENTITY = TransformChain(())
"""Every point stays where the files place it."""


def is_in_plane(matrix: np.ndarray) -> bool:
    """Whether a ``(4, 4)`` affine keeps x and y apart from z."""
    import numpy as np

    return bool(np.abs([*matrix[2, :2], *matrix[:2, 2]]).max() < IN_PLANE_TOLERANCE)
