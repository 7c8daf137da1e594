"""A slide as a small picture."""

from __future__ import annotations

import numpy as np

from medarch.io.slides.slide import Slide

_BLOCK = 2048
"""Pixels of a level that are read at once, a side."""


def overview(slide: Slide, side: float) -> tuple[np.ndarray, float]:
    """Mean colours ``(rows, columns, 3)`` float32 over squares, and their side in level-0 pixels.

    Read block by block from the coarsest level that is fine enough.

    Args:
        slide: the slide.
        side: wanted side of a square in level-0 pixels; what comes is the nearest that is whole in a level.
    """
    fine = [index for index, level in enumerate(slide.levels) if level.downsample <= max(side, 1.0)]
    index = max(fine, key=lambda number: slide.levels[number].downsample)
    level = slide.levels[index]
    square = max(round(side / level.downsample), 1)
    width, height = level.size
    rows, columns = -(-height // square), -(-width // square)
    means = np.empty((rows, columns, 3), np.float32)
    step = max(_BLOCK // square, 1)
    for row in range(0, rows, step):
        for column in range(0, columns, step):
            x, y = column * square, row * square
            size = (min(step * square, width - x), min(step * square, height - y))
            means[row : row + step, column : column + step] = _reduced(slide.read_level(index, x, y, size), square)
    return means, square * level.downsample


def _reduced(pixels: np.ndarray, square: int) -> np.ndarray:
    """Means over squares; those at the lower and right edge over what there is."""
    down = np.arange(0, pixels.shape[0], square)
    across = np.arange(0, pixels.shape[1], square)
    sums = np.add.reduceat(np.add.reduceat(pixels, down, axis=0, dtype=np.float32), across, axis=1)
    heights = np.diff(np.append(down, pixels.shape[0]))
    widths = np.diff(np.append(across, pixels.shape[1]))
    return sums / (heights[:, None, None] * widths[None, :, None]).astype(np.float32)
