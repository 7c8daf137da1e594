"""Maps of network tiles on disk, between the network and the post-processing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class TileStore:
    """One file a tile: float16 ``(channels, side, side)``. What has no file is background: zeros.

    Tiles lie on one grid from the corner of the slide, whatever the chunks of post-processing are.
    """

    folder: Path
    channels: int
    side: int

    def path(self, row: int, column: int) -> Path:
        """Where a tile lies."""
        return self.folder / f"{row}_{column}.npy"

    def holds(self, row: int, column: int) -> bool:
        """Whether a tile has been written, whole."""
        try:
            return self.path(row, column).stat().st_size == self.bytes
        except OSError:
            return False

    @property
    def bytes(self) -> int:
        """Of one file."""
        return self.channels * self.side**2 * 2

    def write(self, row: int, column: int, maps: np.ndarray) -> None:
        """Write a tile, whole or not at all. Not synced: what a power failure takes is computed again."""
        target = self.path(row, column)
        temporary = target.with_name(f".tmp-{os.getpid()}-{target.name}")
        temporary.write_bytes(np.ascontiguousarray(maps, np.float16).data)
        temporary.replace(target)

    def read(self, top: int, left: int, bottom: int, right: int, channels: slice = slice(None)) -> np.ndarray:
        """Maps of a box in pixels of the view: float32 ``(channels, rows, columns)``."""
        count = len(range(self.channels)[channels])
        maps = np.zeros((count, bottom - top, right - left), np.float32)
        side = self.side
        for row in range(top // side, -(-bottom // side)):
            for column in range(left // side, -(-right // side)):
                if not self.holds(row, column):
                    continue
                tile = np.fromfile(self.path(row, column), np.float16).reshape(self.channels, side, side)
                y, x = row * side, column * side
                first, last = max(top, y), min(bottom, y + side)
                low, high = max(left, x), min(right, x + side)
                part = tile[channels, first - y : last - y, low - x : high - x]
                maps[:, first - top : last - top, low - left : high - left] = part
        return maps

    def remove(self, tiles: Iterable[tuple[int, int]]) -> None:
        """Let go of tiles that nothing needs any more."""
        for row, column in tiles:
            self.path(row, column).unlink(missing_ok=True)
