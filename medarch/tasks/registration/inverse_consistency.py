"""Whether going there and back leads home."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medarch.networks.motion.compose import compose
from medarch.tasks.registration.full_precision import full_precision


def inverse_consistency(forward: Tensor, backward: Tensor, *, spacing_mm: Sequence[float] | None = None) -> Tensor:
    """Mean squared distance in mm between voxels and where they come home to, the mean of both round trips.

    Source: Christensen and Johnson 2001, "Consistent image registration", equation 3, on compositions.

    Args:
        forward: displacement ``(B, D, *grid)`` in voxels of fixed to moving.
        backward: of moving to fixed, on the same grid.
        spacing_mm: of the grid; 1 mm if left out.

    Raises:
        GeometryError: not two fields of one dimension.
    """
    forward, backward = full_precision(forward), full_precision(backward)
    spacing = (1.0,) * forward.shape[1] if spacing_mm is None else tuple(spacing_mm)
    scale = forward.new_tensor(spacing).view(1, -1, *[1] * len(spacing))
    round_trips = [compose(backward, forward), compose(forward, backward)]
    return sum(((trip * scale).square().sum(1).mean() for trip in round_trips), forward.new_zeros(())) / 2
