"""Mean squared difference."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from medarch.tasks.registration.full_precision import full_precision
from medarch.tasks.registration.masked_mean import masked_mean


def mse(fixed: Tensor, moving: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference of two images of one modality, on one scale of intensities, in float32.

    Args:
        fixed: ``(B, C, *grid)``.
        moving: same shape, already warped.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
    """
    difference = F.mse_loss(full_precision(moving), full_precision(fixed), reduction="none")
    return masked_mean(difference, mask)
