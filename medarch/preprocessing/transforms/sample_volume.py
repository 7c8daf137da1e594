"""Values between voxels, as ITK's interpolators give them."""

from __future__ import annotations

from typing import Literal

import numpy as np

Interpolation = Literal["linear", "cubic", "nearest"]


def spline_coefficients(channel: np.ndarray) -> np.ndarray:
    """Return the float64 coefficients ``(I, J, K)`` of the cubic spline through a channel, mirrored at its faces."""
    from scipy import ndimage

    coefficients: np.ndarray = ndimage.spline_filter(channel.T, order=3, output=np.float64, mode="mirror").T
    return coefficients


def inside_grid(index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return which of the points ``(3, N)`` lie in a voxel: half a voxel around the outermost centres, as for ITK."""
    inside: np.ndarray = np.ones(index.shape[1], dtype=bool)
    for coordinate, size in zip(index, shape, strict=True):
        inside &= (coordinate >= -0.5) & (coordinate < size - 0.5)
    return inside


def sample_volume(channel: np.ndarray, index: np.ndarray, *, interpolation: Interpolation) -> np.ndarray:
    """Return the values ``(N,)`` at voxel coordinates ``(3, N)``; beyond the outermost centres the edge is repeated.

    Linear and cubic give float64, nearest (halves round up) the channel's type. For cubic the channel is what
    :func:`spline_coefficients` made of it.
    """
    from scipy import ndimage

    if interpolation == "nearest":
        nearest = [
            np.clip(np.floor(coordinate + 0.5).astype(np.intp), 0, size - 1)
            for coordinate, size in zip(index, channel.shape, strict=True)
        ]
        chosen: np.ndarray = channel[tuple(nearest)]
        return chosen
    order, mode = (1, "nearest") if interpolation == "linear" else (3, "mirror")
    # Turned round, so that scipy steps through files' memory in order.
    values: np.ndarray = ndimage.map_coordinates(
        channel.T, index[::-1], order=order, mode=mode, output=np.float64, prefilter=False
    )
    return values
