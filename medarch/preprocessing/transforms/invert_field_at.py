"""Where a displacement field comes from: its inverse, point by point."""

from __future__ import annotations

import numpy as np

from medarch.core.spatial_transform import DisplacementField
from medarch.preprocessing.transforms.displacement_at import displacement_at

TOLERANCE_VOXELS = 1e-4
"""A point is found when the field sends it this close to where it should, as a share of the smallest voxel edge."""
MAX_ITERATIONS = 200


def invert_field_at(field: DisplacementField, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``y`` with ``y + u(y) = x`` for points ``x`` ``(N, 3)`` in RAS+ mm, and for which of them it was found.

    Fixed-point iteration (Chen et al., Med Phys 2008, 35(1):81), with a step that is halved for each point where the
    residual does not shrink, so that it also converges where the field stretches by more than 2. Beyond the grid the
    field is continued from its faces, so that what moved in from outside goes back there. Where it folds, one of
    several answers is returned, or the nearest to one.
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
    return found, size <= limit
