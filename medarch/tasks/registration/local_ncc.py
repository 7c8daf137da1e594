"""Local normalised cross-correlation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medarch.tasks.registration.local_correlation import EPSILON, WINDOW, LocalCorrelation


def local_ncc(
    fixed: Tensor,
    moving: Tensor,
    *,
    window: int | Sequence[int] = WINDOW,
    mask: Tensor | None = None,
    epsilon: float = EPSILON,
) -> Tensor:
    """One minus the mean squared local correlation, between 0 and 1; see :class:`LocalCorrelation`.

    Gradients reach both images. In a loop over one fixed image, make a :class:`LocalCorrelation` once instead.

    Args:
        fixed: ``(B, C, *grid)``.
        moving: same shape, already warped.
        window: odd side in voxels, one number or one for each axis.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
        epsilon: added to the variances.

    Raises:
        PlanError: a side of the window is even.
        ValueError: the shapes differ.
    """
    return LocalCorrelation(fixed, window=window, mask=mask, epsilon=epsilon)(moving)
