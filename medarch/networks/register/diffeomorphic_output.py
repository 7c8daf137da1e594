"""A velocity as a network's answer."""

from __future__ import annotations

from torch import Tensor

from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.register.registration_output import RegistrationOutput


def diffeomorphic_output(
    velocity: Tensor, size: tuple[int, ...], *, squarings: int, inverse: bool
) -> RegistrationOutput:
    """Return the integrated velocity at the size of the image; the velocity is what is to be smooth.

    Args:
        velocity: ``(B, D, *coarse)`` in voxels of its grid.
        size: of the image.
        squarings: fixed, so that every pair takes the same time and memory.
        inverse: integrate the way back, too.
    """
    there = resize_field(integrate_velocity(velocity, squarings=squarings), size)
    back = resize_field(integrate_velocity(-velocity, squarings=squarings), size) if inverse else None
    return RegistrationOutput(there, velocity, back)
