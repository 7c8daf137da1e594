"""Where a displacement field comes from: its inverse, point by point."""

from __future__ import annotations

import numpy as np

from medarch.core.spatial_transform import DisplacementField
from medarch.preprocessing.transforms.displacement_at import displacement_at
from medarch.preprocessing.transforms.sample_volume import inside_grid

TOLERANCE_VOXELS = 1e-4
"""A point is found when the field sends it this close to where it should, as a share of the smallest voxel edge."""
MAX_ITERATIONS = 200


def invert_field_at(
    field: DisplacementField, points_mm: np.ndarray, *, extend: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``y`` with ``y + u(y) = x`` for points ``x`` ``(N, 3)`` in RAS+ mm, and for which of them it was found.

    Fixed-point iteration (Chen et al., Med Phys 2008, 35(1):81), with a step that is halved for each point where the
    residual does not shrink, so that it also converges where the field stretches by more than 2. For a point of the
    grid the field is continued outward from its faces, so that what moved in from outside goes back there; a point
    outside of it that nothing in it moves to stays, as the field leaves it in place, or with ``extend`` goes where the
    continued field comes from. Where the field folds, one of several answers is returned, or the nearest to one.
    """
    limit = TOLERANCE_VOXELS * min(field.geometry.spacing_mm[: field.dimension])
    targets = np.array(points_mm, dtype=np.float64)
    found = targets.copy()
    size = np.full(len(targets), np.inf)
    active = np.arange(len(targets))
    best = targets.copy()
    trial = targets.copy()
    direction = np.zeros_like(targets)
    step = np.ones(len(targets))
    for _ in range(MAX_ITERATIONS):
        displacement, _ = displacement_at(field, trial, extend=True)
        residual = targets[active] - trial - displacement
        length = np.sqrt((residual**2).sum(axis=1))
        better = length < size[active]
        best[better], direction[better] = trial[better], residual[better]
        size[active[better]] = length[better]
        step = np.where(better, np.minimum(1.0, 2.0 * step), 0.25 * step)
        going = size[active] > limit
        found[active] = best
        active, best, direction, step = active[going], best[going], direction[going], step[going]
        if not len(active):
            break
        trial = best + step[:, None] * direction
    if extend:
        return found, size <= limit
    stays = ~_in_field(field, targets) & ~_in_field(field, found)
    found[stays] = targets[stays]
    return found, (size <= limit) | stays


def _in_field(field: DisplacementField, points_mm: np.ndarray) -> np.ndarray:
    to_voxels = np.linalg.inv(field.geometry.matrix)
    axes = field.dimension
    index = to_voxels[:axes, :3] @ points_mm.T + to_voxels[:axes, 3:]
    return inside_grid(index, field.geometry.shape[:axes])
