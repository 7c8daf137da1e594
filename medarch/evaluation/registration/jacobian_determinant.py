"""How a transform changes volumes, voxel by voxel."""

from __future__ import annotations

import numpy as np

from medarch.core.spatial_transform import DisplacementField

_VOXELS_A_SLAB = 2**20


def jacobian_determinant(field: DisplacementField) -> np.ndarray:
    """Return det(I + ∂u/∂x) ``(I, J, K)`` float64: 1 keeps volumes, 0 or less is a fold.

    Central differences of the displacement in voxels, one-sided at the faces. The value is the same in millimetres,
    whatever the grid's spacing, orientation and handedness: the change of basis cancels. (ITK's filter of this name
    leaves the direction out and is right on axis-parallel grids only.)
    """
    shape = field.geometry.shape
    result = np.empty(shape[::-1]).transpose(2, 1, 0)
    to_voxels = np.linalg.inv(field.geometry.matrix[:3, :3])
    planes = max(1, _VOXELS_A_SLAB // (shape[0] * shape[1]))
    for start in range(0, shape[2], planes):
        stop = min(start + planes, shape[2])
        low, high = max(start - 1, 0), min(stop + 1, shape[2])
        vectors = field.vectors[..., low:high].astype(np.float64)
        gradient = _gradient(np.tensordot(to_voxels, vectors, axes=1))
        gradient += np.eye(3).reshape(3, 3, 1, 1, 1)
        result[..., start:stop] = _determinant(gradient)[..., start - low : stop - low]
    return result


def _gradient(displacement: np.ndarray) -> np.ndarray:
    """``(3, 3, I, J, K)``: of component a along axis b; 0 along an axis of one voxel."""
    gradient = np.zeros((3, *displacement.shape))
    for axis in range(3):
        if displacement.shape[axis + 1] > 1:
            gradient[:, axis] = np.gradient(displacement, axis=axis + 1)
    return gradient


def _determinant(m: np.ndarray) -> np.ndarray:
    result: np.ndarray = m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
    result -= m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
    result += m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
    return result
