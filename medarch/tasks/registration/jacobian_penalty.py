"""What folding costs."""

from __future__ import annotations

from torch import Tensor

from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.tasks.registration.full_precision import full_precision


def jacobian_penalty(displacement: Tensor, *, least: float = 0.0) -> Tensor:
    """Mean of how far the Jacobian determinant falls below ``least``; 0 for a transform that folds nowhere.

    Source: Mok and Chung 2020, arXiv:2003.09514, equation 6, who take ``least`` as 0.

    Args:
        displacement: ``(B, D, *grid)`` in voxels.
        least: determinant that costs nothing; above 0 it keeps a distance from folds.

    Raises:
        GeometryError: not a field.
    """
    return (least - jacobian_determinant(full_precision(displacement))).relu().mean()
