"""A network's maps of an image that fits into memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from medarch.inference.nuclei.tile_network import TileNetwork


def image_maps(
    network: TileNetwork, image: np.ndarray, *, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Return ``(channels, *shape)`` float32: probability of nucleus, distances in x, y (and z), those of types.

    Tiles lie on one grid from the first pixel, as on slides; beyond its edges the image is mirrored.

    Args:
        network: on its device.
        image: ``(*shape, C)``: a picture ``(J, I, 3)`` uint8, or a volume along the network's axes, at the network's
            resolution.
        progress: called with tiles done and all.
    """
    shape = image.shape[:-1]
    corners = tile_corners(network, shape)
    last = [corner + side for corner, side in zip(corners[-1], network.sides, strict=True)]
    padding = [
        (margin, margin + covered - size) for margin, covered, size in zip(network.margin, last, shape, strict=True)
    ]
    padded = np.pad(image, (*padding, (0, 0)), mode="symmetric")
    maps = np.empty((network.channels, *last), np.float32)
    for start in range(0, len(corners), network.batch):
        part = corners[start : start + network.batch]
        pixels = np.stack([padded[_box(corner, network.window)] for corner in part])
        for corner, found in zip(part, network.maps(pixels), strict=True):
            maps[(slice(None), *_box(corner, network.sides))] = found
        if progress is not None:
            progress(start + len(part), len(corners))
    return maps[(slice(None), *(slice(size) for size in shape))]


def tile_corners(network: TileNetwork, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Where the outputs of tiles begin, in raster order."""
    along = [range(0, size, side) for size, side in zip(shape, network.sides, strict=True)]
    return list(itertools.product(*along))


def _box(corner: tuple[int, ...], sides: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(low, low + side) for low, side in zip(corner, sides, strict=True))
