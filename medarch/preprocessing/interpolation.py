"""One-dimensional interpolation as a matrix, cut into the bands that are not zero.

Spline interpolation is linear in the samples, and in several dimensions it works axis by axis. So the 1D operator of
``scipy.ndimage.zoom(grid_mode=True, mode="nearest")`` (which ``skimage.transform.resize`` calls) is a matrix, B-splines
at the places times the coefficients of unit samples, and resampling a volume is one matrix product an axis. Weights
fall by 0.27 a sample, so all but a band around the diagonal vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BAND_ROWS = 16
"""Output samples computed together."""
NEGLIGIBLE_WEIGHT = 1e-8
"""Weights below this are dropped; what they add is below the rounding of float32."""

EDGE = 12
"""Samples that scipy repeats beyond either end before it filters."""


@dataclass(frozen=True)
class Band:
    """Output samples ``rows`` as a product of ``weights`` ``(rows, columns)`` with input samples ``columns``."""

    rows: slice
    columns: slice
    weights: np.ndarray


@lru_cache(maxsize=64)
def interpolation_matrix(old: int, new: int, order: int) -> np.ndarray:
    """Return the ``(new, old)`` float64 matrix of 1D interpolation with half-pixel centres and repeated edges."""
    from scipy.interpolate import BSpline
    from scipy.ndimage import spline_filter1d

    if old == new:
        return np.eye(old)
    places = (np.arange(new) + 0.5) * (old / new) - 0.5
    if order == 1:
        places = places.clip(0, old - 1)
    coefficients = np.pad(np.eye(old), ((EDGE, EDGE), (0, 0)), mode="edge")
    if order > 1:
        coefficients = spline_filter1d(coefficients, order, axis=0, mode="nearest")
    knots = np.arange(len(coefficients) + order + 1) - (order + 1) / 2
    matrix = np.asarray(BSpline.design_matrix(places + EDGE, knots, order) @ coefficients)
    matrix[np.abs(matrix) < NEGLIGIBLE_WEIGHT] = 0.0
    return matrix


@lru_cache(maxsize=256)
def interpolation_bands(old: int, new: int, order: int) -> tuple[Band, ...]:
    """Return the matrix as float32 bands of :data:`BAND_ROWS` rows."""
    matrix = interpolation_matrix(old, new, order)
    bands = []
    for start in range(0, new, BAND_ROWS):
        block = matrix[start : start + BAND_ROWS]
        used = np.flatnonzero(block.any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        weights = np.ascontiguousarray(block[:, columns], dtype=np.float32)
        bands.append(Band(slice(start, start + len(block)), columns, weights))
    return tuple(bands)


@lru_cache(maxsize=256)
def nearest_indices(old: int, new: int) -> np.ndarray:
    """Return for each of ``new`` samples the index of the nearest of ``old``, in scipy's arithmetic."""
    from scipy import ndimage

    samples = np.arange(old, dtype=np.float64)
    if old == new:
        return samples.astype(np.intp)
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    return np.asarray(ndimage.map_coordinates(samples, [centres], order=0, mode="nearest").astype(np.intp))
