"""Where the tiles of a case lie."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from medarch.core.geometry import Triple
from medarch.inference.tiles import tile_starts
from medarch.inference.window import Window


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size on a grid of starts; a 2D window has tiles of one plane each."""

    grid: Triple
    """The case's own shape."""
    patch: Triple
    padded: Triple
    """At least one tile along every axis."""
    starts: tuple[list[int], list[int], list[int]]
    """Along each axis, in ``padded``."""

    @classmethod
    def of(cls, grid: Triple, window: Window) -> TileGrid:
        """The tiling of a case of ``grid`` voxels on the network's grid."""
        flat = len(window.patch) == 2
        first, second, third = (1, *window.patch) if flat else window.patch
        patch = (first, second, third)
        padded = (max(grid[0], first), max(grid[1], second), max(grid[2], third))
        along = [
            tile_starts(size, side, step=1.0 if flat and axis == 0 else window.step)
            for axis, (size, side) in enumerate(zip(padded, patch, strict=True))
        ]
        return cls(grid, patch, padded, (along[0], along[1], along[2]))

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return math.prod(len(line) for line in self.starts)

    @property
    def before(self) -> Triple:
        """Planes of padding before the case's first."""
        first, second, third = ((whole - size) // 2 for whole, size in zip(self.padded, self.grid, strict=True))
        return first, second, third

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Planes of padding before and behind the case."""
        return tuple(
            (low, whole - size - low) for low, whole, size in zip(self.before, self.padded, self.grid, strict=True)
        )

    @property
    def longest(self) -> int:
        """The axis with the most tiles: going along it, least has to be held."""
        return max(range(3), key=lambda axis: self.padded[axis] / self.patch[axis])

    @property
    def held_voxels(self) -> int:
        """Voxels of a patch of planes across the longest axis."""
        return math.prod(self.padded) // self.padded[self.longest] * self.patch[self.longest]

    def corners(self) -> list[Triple]:
        """Corners of all tiles, in raster order."""
        return list(itertools.product(*self.starts))
