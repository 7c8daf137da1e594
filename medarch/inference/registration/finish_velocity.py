"""From a velocity to a displacement without folds."""

from __future__ import annotations

import torch
from torch import Tensor

from medarch.inference.registration.deformation import Deformation
from medarch.networks.motion.compose import compose
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.resize_field import resize_field

PATIENCE = 8
"""Rounds in which the velocity alone is smoothed where the start does not fold."""


@torch.no_grad()
def finish_velocity(velocity: Tensor, size: tuple[int, ...], *, start: Tensor | None = None) -> Deformation:
    """Integrate exactly, on the whole grid, and smooth until nothing folds.

    Args:
        velocity: ``(1, D, *coarser grid)`` in voxels of that grid.
        size: of the fixed grid.
        start: displacement φ₀, ``(1, D, *fixed grid)`` in voxels; the result is φ₀∘exp(v).
    """
    rounds = 0
    while _folds(displacement := _moved(velocity, size, start)):
        rounds += 1
        velocity = _smoothed(velocity)
        # Two fields without folds may still have one in their composition, which is sampled on the grid.
        if start is not None and (rounds > PATIENCE or _folds(start)):
            start = _smoothed(start)
    return Deformation(displacement, velocity, start)


def _moved(velocity: Tensor, size: tuple[int, ...], start: Tensor | None) -> Tensor:
    displacement = integrate_velocity(resize_field(velocity, size))
    return displacement if start is None else compose(start, displacement)


def _folds(displacement: Tensor) -> bool:
    return bool((jacobian_determinant(displacement) <= 0).any())


def _smoothed(field: Tensor) -> Tensor:
    """A little less of what changes from voxel to voxel."""
    kernel = torch.nn.functional.avg_pool3d if field.dim() == 5 else torch.nn.functional.avg_pool2d
    mean: Tensor = kernel(field, 3, stride=1, padding=1, count_include_pad=False)
    return (field + mean) / 2
