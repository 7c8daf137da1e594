"""A field's displacement at any place."""

from __future__ import annotations

import numpy as np

from medarch.core.spatial_transform import DisplacementField
from medarch.preprocessing.transforms.sample_volume import inside_grid, sample_volume


def displacement_at(
    field: DisplacementField, points_mm: np.ndarray, *, extend: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the displacement at points ``(N, 3)`` in RAS+ mm, and which of them the field covers.

    Args:
        field: interpolated linearly, or by its B-splines; :attr:`DisplacementField.inverted` is not looked at.
        points_mm: where.
        extend: continue the values at the faces outward; else the displacement is 0 outside, as ITK has it.
    """
    to_voxels = np.linalg.inv(field.geometry.matrix)
    index = to_voxels[:3, :3] @ points_mm.T + to_voxels[:3, 3:]
    shape = field.geometry.shape
    if field.dimension == 2:
        index[2] = 0.0
    axes = field.dimension
    if field.interpolation == "linear":
        covered = inside_grid(index, shape)
    else:  # the four nodes on each axis that a cubic B-spline needs, all in the grid
        ends = np.array(shape[:axes])[:, None] - 2
        covered = ((index[:axes] >= 1) & (index[:axes] <= ends)).all(axis=0)
        if extend:
            index[:axes] = np.clip(index[:axes], 1, ends)
    displacement = np.zeros((3, len(points_mm)))
    everywhere = extend or bool(covered.all())
    wanted = index if everywhere else index[:, covered]
    how = "linear" if field.interpolation == "linear" else "cubic"
    for component, vectors in zip(displacement[:axes], field.vectors, strict=False):
        values = sample_volume(vectors, wanted, interpolation=how)  # type: ignore[arg-type]
        component[slice(None) if everywhere else covered] = values
    return displacement.T, covered
