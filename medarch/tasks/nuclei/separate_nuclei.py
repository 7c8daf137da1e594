"""From a network's maps to single nuclei."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medarch.core.separation import Separation


def separate_nuclei(probability: np.ndarray, distances: np.ndarray, settings: Separation) -> np.ndarray:
    """Return nuclei numbered 1, 2, ... in the order of their first pixels.

    A distance map rises through a nucleus from -1 to 1 and falls where the next one begins. Where it falls along any
    axis there is a border; what is left of each nucleus is its core; from the cores a watershed, over how steeply the
    maps fall, gives each pixel of nuclei to one of them. A group of pixels without a core is one nucleus. Holes that
    lie in one nucleus are filled.

    Compared with its source the kernel is small and fixed, no map is normalised by its own extremes, and slopes are in
    units of the maps: what is far away has no influence. In 2D and 3D, where voxels may be longer along one axis.

    Source: Graham et al. 2019, arXiv:1812.06499, section 3.3.

    Args:
        probability: ``(*shape)`` of nuclei.
        distances: ``(dim, *shape)``, map 0 that of the last axis.
        settings: constants.

    Returns:
        ``(*shape)`` int32, 0 outside. Nuclei are connected by faces of pixels.
    """
    from skimage.segmentation import watershed

    mask = probability >= settings.nucleus_threshold
    groups, count = ndimage.label(mask)
    spacing = settings.spacing or (1.0,) * mask.ndim
    slope = _least_slope(distances, settings.slope_pixels, spacing)
    cores = ndimage.binary_fill_holes((slope > settings.slope_threshold) & mask)
    markers, marked = ndimage.label(cores & mask)
    markers, marked = _without_small(markers, marked, settings.marker_pixels)
    has_core = np.zeros(count + 1, bool)
    has_core[groups[markers > 0]] = True
    has_core[0] = True
    lone = ~has_core[groups]
    numbers_of_lone = np.cumsum(~has_core)
    markers[lone] = marked + numbers_of_lone[groups[lone]]
    height = np.where(mask, -slope, np.float32(1))
    # In 3D the slopes' kernels have averaged over whole areas already; more would only blur borders.
    for axis in range(mask.ndim if mask.ndim == 2 else 0):
        height = ndimage.correlate1d(height, (0.25, 0.5, 0.25), axis=axis, mode="nearest")
    nuclei = watershed(height, markers, mask=mask).astype(np.int32)
    return _in_order(_fill_holes(nuclei), settings.nucleus_pixels)


def slope_kernels(pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel along the axis of a derivative and the one across it, both binomial.

    The derivative of a ramp that rises by 1 a pixel is 1.
    """
    across = _binomial(pixels)
    along = np.convolve(_binomial(pixels - 2), (-1.0, 0.0, 1.0))
    offsets = np.arange(pixels) - pixels // 2
    return along / (along * offsets).sum(), across / across.sum()


def _binomial(pixels: int) -> np.ndarray:
    return np.array([math.comb(pixels - 1, index) for index in range(pixels)], float)


def _least_slope(distances: np.ndarray, pixels: int, spacing: Sequence[float]) -> np.ndarray:
    """The least of the slopes of each map along its own axis, ``(*shape)`` float32."""
    reaches = [round((pixels - 1) / 2 / length) for length in spacing]
    dim = len(distances)
    least: np.ndarray | None = None
    for channel in range(dim):
        slope = np.asarray(distances[channel], np.float32)
        for axis, reach in enumerate(reaches):
            own = axis == dim - 1 - channel
            if reach:
                along, across = slope_kernels(2 * reach + 1)
                slope = ndimage.correlate1d(slope, along if own else across, axis=axis, mode="nearest")
            elif own:
                slope = _steeper_fall(slope, axis)
            if own:
                slope /= np.float32(spacing[axis])
        least = slope if least is None else np.minimum(least, slope, out=least)
    if least is None:
        raise ValueError("no distance maps")
    return least


def _steeper_fall(values: np.ndarray, axis: int) -> np.ndarray:
    """To the next voxel or from the one before it, whichever falls more.

    Where a kernel would reach less than half a voxel, of few slices a nucleus has: none must be blurred into the next.
    """
    steps = np.diff(values, axis=axis)
    if not steps.size:
        return np.zeros_like(values)
    behind, before = ([(0, 0)] * values.ndim for _ in range(2))
    behind[axis], before[axis] = (0, 1), (1, 0)
    steeper: np.ndarray = np.minimum(np.pad(steps, behind, mode="edge"), np.pad(steps, before, mode="edge"))
    return steeper


def _without_small(labels: np.ndarray, count: int, least: int) -> tuple[np.ndarray, int]:
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= least
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    kept: np.ndarray = numbers[labels]
    return kept, int(keep.sum())


def _fill_holes(nuclei: np.ndarray) -> np.ndarray:
    """Give holes to the nucleus that is all around them; those between several nuclei stay."""
    dim = nuclei.ndim
    holes, count = ndimage.label(nuclei == 0, structure=np.ones((3,) * dim, int))
    if count < 2:
        return nuclei
    least, most = np.full(count + 1, np.iinfo(np.int32).max), np.zeros(count + 1, np.int64)
    for axis in range(dim):
        first = (slice(None),) * axis + (slice(0, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        edges = (holes[first] > 0) != (holes[second] > 0)
        for hole_side, nucleus_side in ((first, second), (second, first)):
            beside = edges & (holes[hole_side] > 0)
            hole, nucleus = holes[hole_side][beside], nuclei[nucleus_side][beside]
            np.minimum.at(least, hole, nucleus)
            np.maximum.at(most, hole, nucleus)
        for side in (0, -1):
            most[np.take(holes, side, axis=axis)] = np.iinfo(np.int32).max
    owner = np.where(least == most, most, 0).astype(np.int32)
    owner[0] = 0
    filled: np.ndarray = nuclei + owner[holes]
    return filled


def _in_order(nuclei: np.ndarray, least: int) -> np.ndarray:
    """Drop nuclei that are too small and number the others by their first pixels."""
    flat = nuclei.ravel()
    areas = np.bincount(flat)
    inside = np.flatnonzero(flat)
    first = np.full(len(areas), flat.size)
    first[flat[inside[::-1]]] = inside[::-1]
    keep = areas >= least
    keep[0] = False
    order = np.argsort(first[keep], kind="stable")
    numbers = np.zeros(len(areas), np.int32)
    numbers[np.flatnonzero(keep)[order]] = np.arange(1, len(order) + 1)
    ordered: np.ndarray = numbers[nuclei]
    return ordered
