"""The box that holds everything but the empty border."""

from __future__ import annotations

import numpy as np

from medarch.core.prepared import Box


def nonzero_box(images: np.ndarray) -> Box:
    """Return the half-open box of the voxels where any channel differs from 0.

    nnU-Net crops to the nonzero mask with its holes filled; that mask has the same box. An image without any nonzero
    voxel keeps its whole grid. Planes are looked at from the outside inwards, so an image without an empty border costs
    six planes.

    Args:
        images: ``(C, A0, A1, A2)``.

    Returns:
        One ``(start, stop)`` for each of A0, A1, A2.
    """
    box: list[tuple[int, int]] = []
    inner = images
    for axis in (1, 2, 3):
        planes = inner.swapaxes(0, axis)
        start = _first_filled(planes, range(len(planes)))
        if start is None:
            return (0, images.shape[1]), (0, images.shape[2]), (0, images.shape[3])
        last = _first_filled(planes, range(len(planes) - 1, start, -1))
        stop = (start if last is None else last) + 1
        inner = planes[start:stop].swapaxes(0, axis)
        box.append((start, stop))
    return box[0], box[1], box[2]


def _first_filled(planes: np.ndarray, positions: range) -> int | None:
    return next((position for position in positions if planes[position].any()), None)
