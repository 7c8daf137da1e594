"""How much of an image lies in another."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from medarch.inference.registration.grid_image import GridImage, voxel_map

PROBES = 24
"""Points along each axis that the overlap is counted with."""


def overlap(fixed: GridImage, moving: GridImage, world: Tensor) -> float:
    """Return the share of points of the fixed grid that lie inside the moving grid.

    Args:
        fixed: image of the fixed grid.
        moving: image of the moving grid.
        world: ``(D + 1, D + 1)`` float64, millimetres of the fixed image → of the moving one.
    """
    matrix = voxel_map(fixed, moving, world)[0].cpu().double()
    lines = [torch.linspace(0, length - 1, min(length, PROBES), dtype=torch.float64) for length in fixed.size]
    points = torch.tensor(list(itertools.product(*lines)), dtype=torch.float64)
    places = points @ matrix[:, : fixed.dim].T + matrix[:, fixed.dim]
    last = torch.tensor(moving.size, dtype=torch.float64) - 1
    return float(((places >= -0.5) & (places <= last + 0.5)).all(1).double().mean())
