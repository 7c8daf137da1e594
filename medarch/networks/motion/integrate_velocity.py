"""From a stationary velocity field to the diffeomorphism it generates."""

from __future__ import annotations

from torch import Tensor

from medarch.networks.motion.compose import compose
from medarch.networks.motion.enough_squarings import enough_squarings
from medarch.networks.motion.require_field import require_field

LARGEST_STEP = 0.05
"""Voxels. Halving it again changes the result by less than the linear interpolation does (measured: a field of 5.3
voxels is 0.006 voxel from the solution of the differential equation with 7 squarings and with 10)."""


def integrate_velocity(velocity: Tensor, *, squarings: int | None = None) -> Tensor:
    """Return exp(v), the displacement after unit time along v, by scaling and squaring.

    Source: Arsigny et al. 2006, doi:10.1007/11866565_113.

    Args:
        velocity: ``(B, D, *grid)`` in voxels a unit of time.
        squarings: how often the transform is composed with itself; None: until the first step is at most
            ``LARGEST_STEP`` voxels, from the field's largest component.

    Raises:
        GeometryError: not a field.
    """
    require_field(velocity)
    if squarings is None:
        squarings = enough_squarings(velocity, largest_step=LARGEST_STEP)
    displacement = velocity * 0.5**squarings
    for _ in range(squarings):
        displacement = compose(displacement, displacement)
    return displacement
