"""Mutual information of two images from a soft joint histogram."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.tasks.registration.full_precision import full_precision

TINY = 1e-7


def mutual_information(
    fixed: Tensor, moving: Tensor, *, bins: int = 32, mask: Tensor | None = None, normalised: bool = False
) -> Tensor:
    """Mutual information in nats, or normalised (Studholme et al. 1999), of each pair, higher is better.

    Every voxel is shared out between bins by a Gaussian of half a bin's width (Parzen window), which makes the
    histogram differentiable. Intensities are spread over the bins between the smallest and the largest of each image
    that count; clip outliers beforehand.

    Args:
        fixed: ``(B, C, *grid)``; channels are compared one by one.
        moving: same shape, already warped.
        bins: of each image.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
        normalised: ``(H(fixed) + H(moving)) / H(fixed, moving)``, between 1 and 2, which depends less on the overlap.

    Returns:
        ``(B, C)``.
    """
    with torch.autocast(fixed.device.type, enabled=False):
        weights = None if mask is None else full_precision(mask).expand(fixed.shape[0], 1, *fixed.shape[2:]).flatten(2)
        first, second = (_parzen(full_precision(image).flatten(2), bins, weights) for image in (fixed, moving))
        if weights is not None:
            first = first * (weights / weights.sum(2, keepdim=True).clamp_min(TINY))[..., None]
        joint = first.transpose(2, 3) @ second
        if weights is None:
            joint = joint / first.shape[2]
        own_first, own_second = joint.sum(3), joint.sum(2)
        entropy_first, entropy_second, entropy_joint = (
            -(p * (p + TINY).log()).flatten(2).sum(2) for p in (own_first, own_second, joint)
        )
        if normalised:
            return (entropy_first + entropy_second) / entropy_joint.clamp_min(TINY)
        return entropy_first + entropy_second - entropy_joint


def _parzen(values: Tensor, bins: int, weights: Tensor | None) -> Tensor:
    """``(B, C, voxels)`` → each voxel's share in each bin, ``(B, C, voxels, bins)``."""
    with torch.no_grad():
        counted = values if weights is None else torch.where(weights > 0, values, torch.nan)
        lowest = counted.nan_to_num(nan=torch.inf).amin(2, keepdim=True)
        highest = counted.nan_to_num(nan=-torch.inf).amax(2, keepdim=True)
        span = (highest - lowest).clamp_min(TINY)
    place = ((values - lowest) / span).clamp(0, 1) * (bins - 1)
    distance = place[..., None] - torch.arange(bins, device=values.device)
    shares = (-2 * distance.square()).exp()
    return shares / shares.sum(3, keepdim=True)
