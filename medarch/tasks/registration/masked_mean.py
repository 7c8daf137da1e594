"""A mean over the voxels that count."""

from __future__ import annotations

from torch import Tensor


def masked_mean(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of ``(B, C, *grid)``, weighted by ``mask`` ``(B or 1, 1, *grid)`` if there is one; 0 if nothing counts."""
    if mask is None:
        return x.mean()
    weights = mask.to(x.dtype).expand(x.shape[0], 1, *x.shape[2:])
    return (x * weights).sum() / (weights.sum() * x.shape[1]).clamp_min(1e-6)
