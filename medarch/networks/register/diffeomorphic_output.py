"""A velocity as a network's answer."""

from __future__ import annotations

from torch import Tensor

from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.register.registration_output import RegistrationOutput


def diffeomorphic_output(field: Tensor, *, squarings: int, inverse: bool) -> RegistrationOutput:
    """Return the field, integrated at half its resolution as a velocity; the velocity is what is to be smooth.

    Args:
        field: ``(B, D, *grid)`` in voxels of the image's grid.
        squarings: fixed, so that every pair takes the same time and memory.
        inverse: integrate the way back, too.
    """
    size = tuple(field.shape[2:])
    velocity = resize_field(field, [max(2, length // 2) for length in size])
    there = resize_field(integrate_velocity(velocity, squarings=squarings), size)
    back = resize_field(integrate_velocity(-velocity, squarings=squarings), size) if inverse else None
    return RegistrationOutput(there, velocity, back)
