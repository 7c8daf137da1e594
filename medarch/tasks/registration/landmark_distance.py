"""How far landmarks land from their partners."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medarch.networks.motion.move_points import move_points
from medarch.tasks.registration.full_precision import full_precision


def landmark_distance(
    displacement: Tensor, fixed: Tensor, moving: Tensor, *, spacing_mm: Sequence[float] | None = None
) -> Tensor:
    """Mean distance in mm between moved landmarks of the fixed image and their partners (target registration error).

    Args:
        displacement: ``(1, D, *grid)`` in voxels.
        fixed: landmarks ``(N, D)`` in voxels of the fixed grid.
        moving: their partners ``(N, D)`` in voxels of the moving image, which has the same spacing.
        spacing_mm: of the grid; 1 mm if left out.

    Raises:
        GeometryError: points and field do not fit.
    """
    field = full_precision(displacement)
    apart = move_points(fixed.to(field.dtype), field) - moving.to(field.dtype)
    spacing = (1.0,) * field.shape[1] if spacing_mm is None else tuple(spacing_mm)
    # Squares below it have no direction: the root's gradient has to stay finite where partners meet.
    return ((apart * apart.new_tensor(spacing)).square().sum(1) + 1e-12).sqrt().mean()
