"""A diffeomorphism of the fixed grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from medarch.networks.motion.compose import compose
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.invert import invert
from medarch.networks.motion.resize_field import resize_field

TOLERANCE = 0.02
"""Voxels by which there and back may miss; the integral of the negative velocity is good to a tenth of a voxel."""
POLISH = 5
"""Fixed-point iterations at most."""


@dataclass(frozen=True)
class Deformation:
    """exp(v), or φ₀∘exp(v)."""

    displacement: Tensor
    """``(1, D, *fixed grid)`` in voxels."""
    velocity: Tensor
    """``(1, D, *coarser grid)`` in voxels of that grid, whose corners are the fixed grid's."""
    start: Tensor | None = None
    """The displacement of φ₀, ``(1, D, *fixed grid)`` in voxels."""
    iterations: int = 0
    """That were run."""

    @torch.no_grad()
    def inverse(self) -> Tensor:
        """Return the displacement of the inverse, ``(1, D, *fixed grid)`` in voxels; costs more than the way there."""
        inverse = resize_field(integrate_velocity(-self.velocity), self.displacement.shape[2:])
        if self.start is not None:
            inverse = compose(inverse, invert(self.start))
        return invert(self.displacement, start=inverse, tolerance_voxels=TOLERANCE, iterations=POLISH)
