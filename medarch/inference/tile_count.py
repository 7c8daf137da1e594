"""How much work and memory the tiling of a case is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from medarch.inference.tiles import tile_starts
from medarch.inference.window import Window


@dataclass(frozen=True)
class TileCount:
    """Of one case and one configuration."""

    tiles: int
    held_voxels: int
    """Voxels of the grid whose sums are held at once, see :mod:`medarch.inference.stream_features`."""

    @classmethod
    def of(cls, grid: tuple[int, int, int], window: Window) -> TileCount:
        """Of a case of ``grid`` voxels on the network's grid; tiles of air and outside of regions are counted, too."""
        flat = len(window.patch) == 2
        patch = (1, *window.patch) if flat else window.patch
        padded = [max(pair) for pair in zip(grid, patch, strict=True)]
        starts = [
            tile_starts(size, side, step=1.0 if flat and axis == 0 else window.step)
            for axis, (size, side) in enumerate(zip(padded, patch, strict=True))
        ]
        along = max(range(3), key=lambda axis: padded[axis] / patch[axis])
        held = math.prod(padded) // padded[along] * min(padded[along], patch[along])
        return cls(math.prod(len(line) for line in starts), held)
