"""Mutual information of two images from a soft joint histogram."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.tasks.registration.full_precision import full_precision
from medarch.tasks.registration.joint_histogram import joint_histogram

TINY = 1e-7


def mutual_information(
    fixed: Tensor, moving: Tensor, *, bins: int = 32, mask: Tensor | None = None, normalised: bool = False
) -> Tensor:
    """Mutual information in nats, or normalised (Studholme et al. 1999), of each pair, higher is better.

    Of the differentiable :func:`joint_histogram`. Clip outliers beforehand.

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
        first, second = (full_precision(image).flatten(2) for image in (fixed, moving))
        joint = joint_histogram(first, second, bins=bins, mask=weights)
        own_first, own_second = joint.sum(3), joint.sum(2)
        entropy_first, entropy_second, entropy_joint = (
            -(p * (p + TINY).log()).flatten(2).sum(2) for p in (own_first, own_second, joint)
        )
        if normalised:
            return (entropy_first + entropy_second) / entropy_joint.clamp_min(TINY)
        return entropy_first + entropy_second - entropy_joint
