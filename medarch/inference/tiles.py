"""Where tiles lie and how much each of their voxels counts."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SIGMA_SHARE = 1 / 8


def tile_starts(size: int, patch: int, *, step: float) -> list[int]:
    """Starts along one axis: evenly spread over 0 to ``size - patch``, at most ``step * patch`` apart (as nnU-Net)."""
    if size <= patch:
        return [0]
    count = math.ceil((size - patch) / (patch * step)) + 1
    return [round(index * (size - patch) / (count - 1)) for index in range(count)]


@lru_cache(maxsize=64)
def line_weights(side: int) -> Tensor:
    """``(side,)`` weights along one axis: a Gaussian with σ = side / 8, largest 1, nowhere 0 (rule 1.17 of nnU-Net)."""
    from scipy.ndimage import gaussian_filter1d

    line = np.zeros(side)
    line[side // 2] = 1.0
    line = gaussian_filter1d(line, side * SIGMA_SHARE, mode="constant")
    line /= line.max()
    line[line == 0] = line[line > 0].min()
    return torch.from_numpy(line).float()


@lru_cache(maxsize=8)
def gaussian_weights(patch: tuple[int, ...]) -> Tensor:
    """``(*patch)`` weights: the product of :func:`line_weights`."""
    weights = torch.ones((1,) * len(patch))
    for axis, side in enumerate(patch):
        weights = weights * line_weights(side).reshape([-1 if other == axis else 1 for other in range(len(patch))])
    return weights
