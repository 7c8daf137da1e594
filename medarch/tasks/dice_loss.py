"""Soft Dice, as nnU-Net trains with it."""

from __future__ import annotations

from torch import Tensor

SMOOTH = 1e-5


def dice_loss(probabilities: Tensor, target: Tensor, *, mask: Tensor | None = None, over_batch: bool) -> Tensor:
    """Negative mean soft Dice.

    Sources: Milletari et al. 2016, arXiv:1606.04797; Drozdzal et al. 2016 for the linear denominator.

    Args:
        probabilities: ``(B, K, *spatial)`` of the scored classes.
        target: same shape, 0 or 1.
        mask: ``(B, 1, *spatial)``, 1 where voxels count.
        over_batch: pool the sums over the batch (nnU-Net's ``batch_dice``) instead of one Dice a sample.
    """
    axes = tuple(range(2, probabilities.dim()))
    if mask is not None:
        probabilities = probabilities * mask
        target = target * mask
    overlap = (probabilities * target).sum(axes)
    total = probabilities.sum(axes) + target.sum(axes)
    if over_batch:
        overlap, total = overlap.sum(0), total.sum(0)
    return -((2 * overlap + SMOOTH) / (total + SMOOTH).clamp_min(1e-8)).mean()
