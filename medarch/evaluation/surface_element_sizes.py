"""How much surface passes between neighbouring voxel centres, for every pattern of inside and outside.

The corners of a cell are voxel centres; corner ``(i, j, k)`` is bit ``i + 2j + 4k`` of the cell's code. The surface
crosses the middle of each edge that joins inside to outside (Lorensen and Cline 1987). Two choices that marching cubes
leaves open are made so that the areas equal those of DeepMind's published table, which the Medical Segmentation
Decathlon used; tests compare all 256 codes:

- on a face with inside corners on one diagonal, the corners of the cell's minority are cut off, so a mask and its
  complement have one surface;
- a polygon that is not flat is divided into the triangles whose total area on the unit cube is largest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

Edge = tuple[int, int]
Triangle = tuple[int, int, int]

_CORNERS = np.array([[code & 1, code >> 1 & 1, code >> 2] for code in range(8)], dtype=float)
_FACES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
"""Corners of each face, in order around it."""


def surface_element_sizes(spacing_mm: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the size of the surface element of every neighbour code.

    Args:
        spacing_mm: voxel edge lengths, two (an image) or three (a volume).

    Returns:
        ``(16,)`` contour lengths in mm, or ``(256,)`` areas in mm²; float64, 0 for all-outside and all-inside.
    """
    spacing = np.asarray(spacing_mm, dtype=float)
    if len(spacing) == 2:
        return _contour_lengths(spacing)
    # A normal's component along one axis is an area in the plane of the other two.
    scaled = _triangle_normals() * (spacing.prod() / spacing)
    areas: np.ndarray = np.linalg.norm(scaled, axis=-1).sum(axis=-1)
    return areas


def _contour_lengths(spacing: np.ndarray) -> np.ndarray:
    lengths = np.zeros(16)
    for code in range(16):
        for first, second in _segments(code, _FACES[0], minority=1):
            lengths[code] += np.linalg.norm((_middle(first) - _middle(second))[:2] * spacing)
    return lengths


@lru_cache(maxsize=1)
def _triangle_normals() -> np.ndarray:
    """Area vectors of the triangles of each code on the unit cube: ``(256, 4, 3)``, padded with zeros."""
    normals = np.zeros((256, 4, 3))
    for code in range(256):
        found = [normal for polygon in _polygons(code) for normal in _largest_triangulation(polygon)]
        normals[code, : len(found)] = np.reshape(found, (-1, 3))
    return normals


def _segments(code: int, face: Sequence[int], *, minority: int) -> Iterator[tuple[Edge, Edge]]:
    """Yield where the surface crosses a face: lines between the middles of two of its edges."""
    inside = [code >> corner & 1 for corner in face]
    edges = [(min(pair), max(pair)) for pair in zip(face, (*face[1:], face[0]), strict=True)]
    crossed = [n for n in range(4) if inside[n] != inside[(n + 1) % 4]]
    if len(crossed) == 2:
        yield edges[crossed[0]], edges[crossed[1]]
    elif len(crossed) == 4:
        yield from ((edges[n - 1], edges[n]) for n in range(4) if inside[n] == minority)


def _polygons(code: int) -> Iterator[np.ndarray]:
    """Yield the closed polygons of a cell, each ``(n, 3)`` points on the unit cube."""
    minority = int(code.bit_count() <= 4)
    neighbours: dict[Edge, list[Edge]] = {}
    for face in _FACES:
        for first, second in _segments(code, face, minority=minority):
            neighbours.setdefault(first, []).append(second)
            neighbours.setdefault(second, []).append(first)
    while neighbours:
        edge = next(iter(neighbours))
        loop = []
        # Each crossed edge lies on two faces, so it has two neighbours and the walk returns to its start.
        while edge in neighbours:
            loop.append(edge)
            following = neighbours.pop(edge)
            edge = next((other for other in following if other in neighbours), edge)
        yield np.array([_middle(edge) for edge in loop])


def _middle(edge: Edge) -> np.ndarray:
    middle: np.ndarray = _CORNERS[list(edge)].mean(axis=0)
    return middle


def _largest_triangulation(polygon: np.ndarray) -> list[np.ndarray]:
    """Return the area vectors of the triangles whose total area is largest."""
    choices = (
        [np.cross(polygon[b] - polygon[a], polygon[c] - polygon[a]) / 2 for a, b, c in triangles]
        for triangles in _triangulations(0, len(polygon) - 1)
    )
    return max(choices, key=lambda normals: sum(float(np.linalg.norm(normal)) for normal in normals))


def _triangulations(first: int, last: int) -> list[list[Triangle]]:
    """Return every way to divide the polygon of vertices ``first..last`` into triangles."""
    if last - first < 2:
        return [[]]
    return [
        [*left, (first, apex, last), *right]
        for apex in range(first + 1, last)
        for left in _triangulations(first, apex)
        for right in _triangulations(apex, last)
    ]
