"""How often a U-Net pools along each axis, from voxel spacing and patch size (nnU-Net's rule)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medarch.core.plan import Voxels

SMALLEST_EDGE = 4
"""No axis is pooled below this many voxels."""
FIRST_FEATURES = 32
MOST_FEATURES = {2: 512, 3: 320}


@dataclass(frozen=True)
class UNetTopology:
    """Strides and kernels from the finest stage to the bottleneck, and the patch padded to fit them."""

    patch_voxels: Voxels
    strides: tuple[Voxels, ...]
    kernels: tuple[Voxels, ...]

    @property
    def divisor(self) -> Voxels:
        """Each axis of a patch must be a multiple of this."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))

    @property
    def features(self) -> tuple[int, ...]:
        """Channels of each stage: doubled from 32 up to 320 in 3D or 512 in 2D."""
        most = MOST_FEATURES[len(self.patch_voxels)]
        return tuple(min(FIRST_FEATURES * 2**stage, most) for stage in range(len(self.strides)))


def unet_topology(spacing_mm: Sequence[float], patch_voxels: Sequence[float]) -> UNetTopology:
    """Pool the axes of similar, finest spacing until the feature map is too small.

    Axes whose spacing is twice the finest or more wait, with kernels of 1, until pooling has brought the others near.

    Args:
        spacing_mm: of each network axis.
        patch_voxels: wanted size; may be a half, because a median shape may be one.
    """
    dim = len(spacing_mm)
    spacing, size = list(spacing_mm), list(patch_voxels)
    kernel = [1] * dim
    strides, kernels = [(1,) * dim], []
    while pooled := _axes_to_pool(spacing, size):
        kernel = [3 if spacing[axis] / min(spacing) < 2 else kernel[axis] for axis in range(dim)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in pooled else 1 for axis in range(dim)))
        for axis in pooled:
            spacing[axis] *= 2
            size[axis] = math.ceil(size[axis] / 2)
    kernels.append((3,) * dim)
    divisor = [math.prod(axis) for axis in zip(*strides, strict=True)]
    padded = tuple(math.ceil(voxels / step) * step for voxels, step in zip(patch_voxels, divisor, strict=True))
    return UNetTopology(padded, tuple(strides), tuple(kernels))


def _axes_to_pool(spacing: Sequence[float], size: Sequence[float]) -> list[int]:
    large = [axis for axis in range(len(size)) if size[axis] >= 2 * SMALLEST_EDGE]
    if not large:
        return []
    finest = min(spacing[axis] for axis in large)
    near = [axis for axis in large if spacing[axis] / finest < 2]
    if len(near) == 1 and size[near[0]] < 3 * SMALLEST_EDGE:
        return []
    return near
