"""Points through a chain of transforms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from medarch.core.spatial_transform import AffineTransform, SpatialTransform, TransformChain
from medarch.preprocessing.transforms.displacement_at import displacement_at
from medarch.preprocessing.transforms.invert_field_at import invert_field_at


class MappedPoints(NamedTuple):
    """Where points went."""

    points_mm: np.ndarray
    """``(N, 3)`` float64, RAS+."""
    defined: np.ndarray
    """``(N,)`` whether every field covers its point (outside it leaves it in place), and every inverse was found."""


def map_points(points_mm: np.ndarray, chain: TransformChain, *, extend: bool = False) -> MappedPoints:
    """Send points ``(N, 3)`` of the fixed image to the moving one (with ``chain.inverse()`` the other way).

    What moves an image onto the fixed grid is this map of the fixed grid's points; a landmark that is to follow the
    image goes by the inverse. ``extend``: of inverses, see
    :func:`~medarch.preprocessing.transforms.invert_field_at.invert_field_at`.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    defined = np.ones(len(points), dtype=bool)
    for part in chain.parts:
        points, covered = _map(points, part, extend)
        defined &= covered
    return MappedPoints(points, defined)


def _map(points: np.ndarray, part: SpatialTransform, extend: bool) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(part, AffineTransform):
        moved = part.matrix[:3, :3] @ points.T + part.matrix[:3, 3:]
        return moved.T, np.ones(len(points), dtype=bool)
    if part.inverted:
        return invert_field_at(part, points, extend=extend)
    displacement, covered = displacement_at(part, points)
    return points + displacement, covered
