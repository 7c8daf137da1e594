"""From the network's grid of a pair to the fixed image's own grid."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from medarch.core.prepared import PreparedCase
from medarch.core.spatial_transform import DisplacementField
from medarch.preprocessing.network_matrix import network_matrix
from medarch.preprocessing.pair_grid import PairGrid


def field_on_grid(displacement: Tensor, grid: PairGrid, fixed: PreparedCase, moving: PreparedCase) -> DisplacementField:
    """Return the whole way from the fixed image's points to the moving image's, alignment included.

    Args:
        displacement: ``(1, D, *grid)`` in voxels of the network's input; linear between its voxels, and beyond its
            faces as at them.
        grid: how the pair was laid out.
        fixed: how the fixed case was prepared.
        moving: how the moving case was prepared.
    """
    flat = displacement.dim() == 4
    geometry = fixed.geometry
    to_input = np.linalg.inv(network_matrix(fixed) @ grid.fixed) @ geometry.matrix
    to_moving = network_matrix(moving) @ grid.moving
    voxels = np.indices(geometry.shape, dtype=np.float64).reshape(3, -1)
    places = to_input[:3, :3] @ voxels + to_input[:3, 3:]
    moved = places.copy()
    first = 1 if flat else 0
    moved[first:] += _sampled(displacement, places[first:])
    world = geometry.matrix[:3, :3] @ voxels + geometry.matrix[:3, 3:]
    vectors = to_moving[:3, :3] @ moved + to_moving[:3, 3:] - world
    return DisplacementField.from_vectors(vectors.reshape(3, *geometry.shape).astype(np.float32), geometry)


def _sampled(field: Tensor, places: np.ndarray) -> np.ndarray:
    """``(D, N)`` vectors at ``(D, N)`` voxels."""
    from scipy import ndimage

    components = field[0].double().cpu().numpy()
    return np.stack([ndimage.map_coordinates(component, places, order=1, mode="nearest") for component in components])
