"""Resampling of images on a GPU: the same matrices, multiplied there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from medarch.core.geometry import Triple
from medarch.preprocessing.interpolation import interpolation_matrix, nearest_indices
from medarch.preprocessing.resample import Resampler, resample


def resample_on(device: torch.device) -> Resampler:
    """Return :func:`~medarch.preprocessing.resample.resample` for cases that go to ``device``."""
    return resample if device.type == "cpu" else _Torch(device)


class _Torch:
    """As ``resample``; only one channel at a time lies on the device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @torch.inference_mode()
    def __call__(
        self,
        array: np.ndarray,
        shape: Triple,
        *,
        order: int,
        separate_axis: int | None = None,
        coarse_order: int = 0,
    ) -> np.ndarray:
        if array.shape[1:] == shape:
            return array
        result = np.empty((len(array), *shape), dtype=np.float32)
        for channel, target in zip(array, result, strict=True):
            volume = torch.from_numpy(np.ascontiguousarray(channel, dtype=np.float32)).to(self.device)
            target[...] = self._volume(volume, shape, order, separate_axis, coarse_order).cpu().numpy()
        return result

    def _volume(self, volume: Tensor, shape: Triple, order: int, apart: int | None, coarse_order: int) -> Tensor:
        axes = [axis for axis in range(3) if axis != apart and volume.shape[axis] != shape[axis]]
        axes.sort(key=lambda axis: shape[axis] / volume.shape[axis])
        # Splines above degree 1 overshoot the range, of each plane where planes are resampled apart.
        within = [axis for axis in range(3) if axis != apart]
        low, high = volume.amin(within, keepdim=True), volume.amax(within, keepdim=True)
        for axis in axes:
            volume = self._along(volume, axis, shape[axis], order)
        if order > 1 and axes:
            volume = volume.clamp(low, high)
        if apart is not None and volume.shape[apart] != shape[apart]:
            volume = self._along(volume, apart, shape[apart], coarse_order)
        return volume

    def _along(self, volume: Tensor, axis: int, size: int, order: int) -> Tensor:
        old = volume.shape[axis]
        if order == 0:
            return volume.index_select(axis, torch.from_numpy(nearest_indices(old, size)).to(self.device))
        matrix = torch.from_numpy(interpolation_matrix(old, size, order).astype(np.float32)).to(self.device)
        moved: Tensor = torch.tensordot(matrix, volume, dims=([1], [axis]))  # type: ignore[no-untyped-call]
        return moved.movedim(0, axis)
