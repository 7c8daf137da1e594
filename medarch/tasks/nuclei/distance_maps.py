"""The distances that a HoVerNet learns."""

from __future__ import annotations

import numpy as np


def distance_maps(instances: np.ndarray) -> np.ndarray:
    """Return, for each pixel of a nucleus, where it lies between the nucleus' centre and its ends along each axis.

    Along an axis the offset from the centre of mass is divided by its largest absolute value on that side: -1 at the
    first pixel of a nucleus, 1 at its last, 0 outside. Maps have to be made of whole nuclei, so before an image is cut
    into patches: a nucleus at a patch's edge then has its true centre.

    Source: Graham et al. 2019, arXiv:1812.06499, section 3.1.

    Args:
        instances: ``(*shape)`` integers, 0 outside of nuclei. Numbers may have gaps.

    Returns:
        ``(dim, *shape)`` float32; map 0 is of the last axis (x), map 1 of the one before it (y), and so on.
    """
    dim = instances.ndim
    maps = np.zeros((dim, *instances.shape), np.float32)
    inside = np.nonzero(instances)
    if not len(inside[0]):
        return maps
    numbers = _consecutive(instances[inside])
    counts = np.bincount(numbers)
    for channel, axis in enumerate(reversed(range(dim))):
        position = inside[axis].astype(np.float64)
        offset = position - (np.bincount(numbers, position) / counts)[numbers]
        first, last = np.zeros(len(counts)), np.zeros(len(counts))
        np.minimum.at(first, numbers, offset)
        np.maximum.at(last, numbers, offset)
        reach = np.where(offset < 0, -first[numbers], last[numbers])
        maps[channel][inside] = np.divide(offset, reach, out=np.zeros_like(offset), where=reach > 0)
    return maps


def _consecutive(numbers: np.ndarray) -> np.ndarray:
    """Numbers of nuclei as 0, 1, 2, ... without gaps."""
    present = np.zeros(int(numbers.max()) + 1, bool)
    present[numbers] = True
    found: np.ndarray = (np.cumsum(present) - 1)[numbers]
    return found
