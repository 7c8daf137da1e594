"""A network's maps of an image that fits into memory."""

from __future__ import annotations

import numpy as np

from medarch.inference.nuclei.tile_network import TileNetwork


def image_maps(network: TileNetwork, image: np.ndarray) -> np.ndarray:
    """Return ``(channels, J, I)`` float32: probability of nucleus, distances in x and y, probabilities of types.

    Tiles lie on one grid from the first pixel, as on slides; beyond its edges the image is mirrored.

    Args:
        network: on its device.
        image: ``(J, I, 3)`` uint8, at the network's resolution.
    """
    side, margin = network.side, network.margin
    rows, columns = image.shape[:2]
    down, across = (-(-size // side) for size in (rows, columns))
    padding = [(margin, margin + count * side - size) for count, size in ((down, rows), (across, columns))]
    padded = np.pad(image, (*padding, (0, 0)), mode="symmetric")
    corners = [(row * side, column * side) for row in range(down) for column in range(across)]
    maps = np.empty((network.channels, down * side, across * side), np.float32)
    for start in range(0, len(corners), network.batch):
        part = corners[start : start + network.batch]
        pixels = np.stack([padded[y : y + network.window, x : x + network.window] for y, x in part])
        for (y, x), found in zip(part, network.maps(pixels), strict=True):
            maps[:, y : y + side, x : x + side] = found
    return maps[:, :rows, :columns]
