"""TensorFlow's ``SAME`` padding."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def pad_same(x: Tensor, kernel: int, stride: int | Sequence[int]) -> Tensor:
    """Zeros around ``(B, C, *spatial)`` for a valid convolution that gives ``ceil(size / stride)`` voxels an axis.

    The lesser half lies before the first voxel: a kernel of 3 with a stride of 2 sees voxels 2n, 2n + 1 and 2n + 2.
    Networks trained with this padding see everything shifted when it is made symmetric.

    Args:
        x: the map.
        kernel: of the convolution, along every axis.
        stride: of the convolution, along every axis or of each.
    """
    spatial = x.shape[2:]
    strides = (stride,) * len(spatial) if isinstance(stride, int) else tuple(stride)
    sides: list[int] = []
    for size, step in zip(reversed(spatial), reversed(strides), strict=True):
        missing = max((-(-size // step) - 1) * step + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides) if any(sides) else x
