"""Tiles of a case, the middle of it first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from medarch.inference.tiles import tile_starts
from medarch.inference.window import Window


def sample_tiles(image: np.ndarray, window: Window) -> Iterator[Tensor]:
    """Yield pieces of ``(C, N0, N1, N2)`` as large as a tile, float32, zeros where the case is smaller.

    They are cases of one tile: ``(C, *patch)``, with a 2D window ``(C, 1, *patch)``.
    """
    patch = _patch(image.shape[1:], window)
    missing = [max(0, side - size) for side, size in zip(patch, image.shape[1:], strict=True)]
    padded = np.pad(image, [(0, 0), *((more // 2, more - more // 2) for more in missing)])
    for corner in _corners_from_the_middle(image.shape[1:], window):
        place = tuple(slice(start, start + side) for start, side in zip(corner, patch, strict=True))
        yield torch.from_numpy(np.ascontiguousarray(padded[(slice(None), *place)], dtype=np.float32))


def _corners_from_the_middle(shape: Sequence[int], window: Window) -> list[tuple[int, ...]]:
    """Corners of all tiles of a case, sorted by their distance from the middle; a 2D window has tiles of one plane."""
    patch = _patch(shape, window)
    flat = len(window.patch) < len(shape)
    axes = [
        tile_starts(max(size, side), side, step=1.0 if flat and number == 0 else window.step)
        for number, (size, side) in enumerate(zip(shape, patch, strict=True))
    ]

    def distance(corner: tuple[int, ...]) -> float:
        return sum(
            ((start + side / 2) / max(size, side) - 0.5) ** 2
            for start, side, size in zip(corner, patch, shape, strict=True)
        )

    return sorted(itertools.product(*axes), key=distance)


def _patch(shape: Sequence[int], window: Window) -> tuple[int, ...]:
    return (1,) * (len(shape) - len(window.patch)) + tuple(window.patch)
