"""Difference of two images' self-similarity."""

from __future__ import annotations

from torch import Tensor

from medarch.tasks.registration.mind_descriptor import mind_descriptor
from medarch.tasks.registration.mse import mse


def mind(fixed: Tensor, moving: Tensor, *, radius: int = 1, dilation: int = 2, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference of MIND-SSC descriptors, for pairs of two modalities; see :func:`mind_descriptor`.

    Args:
        fixed: ``(B, C, *grid)``; channels are compared one by one.
        moving: same shape, already warped.
        radius: of a patch, in voxels.
        dilation: distance of the patches that are compared, in voxels.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
    """
    first, second = (mind_descriptor(image, radius=radius, dilation=dilation) for image in (fixed, moving))
    return mse(first, second, mask=mask)
