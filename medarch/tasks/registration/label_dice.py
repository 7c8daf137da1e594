"""Overlap of labels that were carried along."""

from __future__ import annotations

from torch import Tensor

from medarch.tasks.registration.full_precision import full_precision


def label_dice(fixed: Tensor, moving: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """One minus the mean soft Dice over the labels that either image has; 0 where there are none.

    Source: Balakrishnan et al. 2019, arXiv:1809.05231, equation 9.

    Args:
        fixed: ``(B, L, *grid)`` 0 or 1, one channel a label, without background.
        moving: same shape, the other image's channels warped linearly.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
    """
    fixed, moving = full_precision(fixed), full_precision(moving)
    if mask is not None:
        fixed, moving = fixed * mask, moving * mask
    axes = tuple(range(2, fixed.dim()))
    overlap = (fixed * moving).sum(axes)
    total = fixed.sum(axes) + moving.sum(axes)
    present = (total > 0).to(total.dtype)
    dice = 2 * overlap / total.clamp_min(1e-6)
    return ((1 - dice) * present).sum() / present.sum().clamp_min(1)
