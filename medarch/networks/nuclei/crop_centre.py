"""The middle of a feature map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def crop_centre(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return the middle ``size`` voxels of ``(B, C, *spatial)``; an odd rest is taken off at the end."""
    starts = [(have - want) // 2 for have, want in zip(x.shape[2:], size, strict=True)]
    box = tuple(slice(start, start + want) for start, want in zip(starts, size, strict=True))
    return x[(slice(None), slice(None), *box)]
