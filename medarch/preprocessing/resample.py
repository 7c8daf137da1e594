"""Images and scores on another grid of the same extent."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from medarch.core.geometry import Triple
from medarch.preprocessing.interpolation import interpolation_bands, nearest_indices


class Resampler(Protocol):
    """:func:`resample`, or the same computed elsewhere."""

    def __call__(
        self,
        array: np.ndarray,
        shape: Triple,
        *,
        order: int,
        separate_axis: int | None = None,
        coarse_order: int = 0,
    ) -> np.ndarray:
        """As :func:`resample`."""


def resample(
    array: np.ndarray, shape: Triple, *, order: int, separate_axis: int | None = None, coarse_order: int = 0
) -> np.ndarray:
    """Resample each channel with splines of ``order``, as nnU-Net does.

    Equals ``skimage.transform.resize(order, mode="edge", anti_aliasing=False)``: half-pixel centres, repeated edges,
    the result clipped to the range of the input. With ``separate_axis`` every plane across that axis is resized (and
    clipped) on its own, and the axis itself is interpolated with ``coarse_order`` (0: its nearest plane). One channel
    is worked on at a time.

    Args:
        array: ``(C, A0, A1, A2)`` of any real type; returned as it is when the shape does not change.
        shape: the wanted ``(N0, N1, N2)``.
        order: degree of the splines, 0 (nearest) to 5.
        separate_axis: 0, 1, 2, or None for interpolation along all axes.
        coarse_order: degree along ``separate_axis``.

    Returns:
        ``(C, N0, N1, N2)`` float32.
    """
    if array.shape[1:] == shape:
        return array
    result = np.empty((len(array), *shape), dtype=np.float32)
    for channel, target in zip(array, result, strict=True):
        _resample_volume(np.ascontiguousarray(channel, dtype=np.float32), target, order, separate_axis, coarse_order)
    return result


def _resample_volume(
    volume: np.ndarray, target: np.ndarray, order: int, separate_axis: int | None, coarse_order: int
) -> None:
    """Write ``volume`` on the grid of ``target`` there; the last step is the one that writes."""
    shape = target.shape
    axes = [axis for axis in range(3) if axis != separate_axis and volume.shape[axis] != shape[axis]]
    # Shrinking axes go first: less is left to do for the others.
    axes.sort(key=lambda axis: shape[axis] / volume.shape[axis])
    apart = separate_axis is not None and volume.shape[separate_axis] != shape[separate_axis]
    clipped = tuple(axis for axis in range(3) if axis != separate_axis)
    # Splines above degree 1 overshoot.
    limits = (volume.min(clipped, keepdims=True), volume.max(clipped, keepdims=True)) if order > 1 and axes else None
    for axis in axes:
        last = axis == axes[-1] and not apart
        volume = _along(volume, axis, shape[axis], order, target if last else None)
    if limits is not None:
        np.clip(volume, *limits, out=volume)
    if apart and separate_axis is not None:
        _along(volume, separate_axis, shape[separate_axis], coarse_order, target)


def _along(volume: np.ndarray, axis: int, size: int, order: int, out: np.ndarray | None) -> np.ndarray:
    """Return ``volume`` with ``size`` samples along ``axis``, in ``out`` if there is one."""
    if order:
        return _interpolate(volume, axis, size, order, out)
    # Every index is inside; numpy buffers what it writes to ``out`` unless it may trust them.
    return volume.take(nearest_indices(volume.shape[axis], size), axis, out=out, mode="clip")


def _interpolate(volume: np.ndarray, axis: int, size: int, order: int, out: np.ndarray | None) -> np.ndarray:
    shape = volume.shape
    result = np.empty((*shape[:axis], size, *shape[axis + 1 :]), dtype=np.float32) if out is None else out
    source = volume.reshape(int(np.prod(shape[:axis])), shape[axis], -1)
    target = result.reshape(len(source), size, -1)  # a view: both are contiguous
    for band in interpolation_bands(shape[axis], size, order):
        if axis == 2:  # one sample a row: turn the product round, so that it stays one matrix product
            np.matmul(source[:, band.columns, 0], band.weights.T, out=target[:, band.rows, 0])
        else:
            np.matmul(band.weights, source[:, band.columns], out=target[:, band.rows])
    return result
