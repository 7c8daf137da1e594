"""Tiles of a case, the middle of it first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from medarch.core.geometry import Triple
from medarch.inference.tile_grid import TileGrid
from medarch.inference.window import Window


def sample_tiles(image: np.ndarray, window: Window) -> Iterator[Tensor]:
    """Yield pieces of ``(C, N0, N1, N2)`` as large as a tile, float32, zeros where the case is smaller.

    They are cases of one tile: ``(C, *patch)``, with a 2D window ``(C, 1, *patch)``.
    """
    grid = (image.shape[1], image.shape[2], image.shape[3])
    tiles = TileGrid.of(grid, window)
    padded = np.pad(image, [(0, 0), *tiles.margins])

    def distance(corner: Triple) -> float:
        """Of a tile from the middle."""
        return sum(
            ((start + side / 2) / size - 0.5) ** 2
            for start, side, size in zip(corner, tiles.patch, tiles.padded, strict=True)
        )

    for corner in sorted(tiles.corners(), key=distance):
        place = tuple(slice(start, start + side) for start, side in zip(corner, tiles.patch, strict=True))
        yield torch.from_numpy(np.ascontiguousarray(padded[(slice(None), *place)], dtype=np.float32))
