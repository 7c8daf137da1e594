"""A grid cut into blocks whose points fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medarch.core.geometry import Geometry

BLOCK_POINTS = 2**19
"""Points worked on together: 12 MiB a float64 copy of their coordinates."""


@dataclass(frozen=True)
class GridBlock:
    """All of axis i, some rows of j, some planes of k."""

    shape: tuple[int, int, int]
    """``(K', J', I)``: i runs fastest, as in files."""
    rows: slice
    planes: slice
    points_mm: np.ndarray
    """``(K' * J' * I, 3)`` float64, RAS+."""

    def of(self, array: np.ndarray) -> np.ndarray:
        """Return the block's part of ``(..., I, J, K)`` as a view ``(..., K', J', I)``."""
        axes = (*range(array.ndim - 3), array.ndim - 1, array.ndim - 2, array.ndim - 3)
        return array[..., :, self.rows, self.planes].transpose(axes)


def grid_blocks(geometry: Geometry, *, points: int = BLOCK_POINTS) -> Iterator[GridBlock]:
    """Yield blocks of at most ``points`` points (one row at least) that together are the grid."""
    i, j, k = geometry.shape
    rows = max(1, min(j, points // i))
    planes = max(1, min(k, points // (i * j)))
    matrix = geometry.matrix
    for first_plane in range(0, k, planes):
        for first_row in range(0, j, rows):
            plane = np.arange(first_plane, min(first_plane + planes, k))
            row = np.arange(first_row, min(first_row + rows, j))
            # Axis by axis into (3, K', J', I), so that each coordinate lies in one piece.
            column = [matrix[:3, axis].reshape(3, 1, 1, 1) for axis in range(4)]
            places = column[0] * np.arange(i) + column[1] * row[:, None] + column[2] * plane[:, None, None] + column[3]
            shape = (len(plane), len(row), i)
            yield GridBlock(
                shape,
                slice(first_row, first_row + len(row)),
                slice(first_plane, first_plane + len(plane)),
                places.reshape(3, -1).T,
            )
