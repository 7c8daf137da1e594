"""Where a voxel of the network's grid lies in the world."""

from __future__ import annotations

import numpy as np

from medarch.core.prepared import PreparedCase


def network_matrix(record: PreparedCase) -> np.ndarray:
    """Return ``(4, 4)``: index of a prepared case's voxel → RAS+ millimetres, the exact way back of ``prepare_case``.

    Resampling keeps the outer faces of the grid where they are, so centres of voxels move.
    """
    resampled = np.eye(4)
    scale = np.array(record.cropped_shape) / np.array(record.shape)
    resampled[:3, :3], resampled[:3, 3] = np.diag(scale), (scale - 1) / 2
    cropped = np.eye(4)
    cropped[:3, 3] = [start for start, _ in record.crop]
    turned = np.zeros((4, 4))
    turned[3, 3] = 1.0
    for axis, (file_axis, flip) in enumerate(zip(record.permutation, record.flips, strict=True)):
        turned[file_axis, axis] = -1.0 if flip else 1.0
        turned[file_axis, 3] = record.full_shape[axis] - 1 if flip else 0.0
    matrix: np.ndarray = record.geometry.matrix @ turned @ cropped @ resampled
    return matrix
