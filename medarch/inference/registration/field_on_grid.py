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
    geometry = fixed.geometry
    to_input = np.linalg.inv(network_matrix(fixed) @ grid.fixed) @ geometry.matrix
    to_moving = network_matrix(moving) @ grid.moving
    components = displacement[0].double().cpu().numpy()
    first = 3 - len(components)
    vectors = np.empty((3, *geometry.shape), dtype=np.float32)
    for plane in range(geometry.shape[0]):  # one at a time: coordinates are float64
        voxels = np.indices((1, *geometry.shape[1:]), dtype=np.float64).reshape(3, -1)
        voxels[0] = plane
        places = to_input[:3, :3] @ voxels + to_input[:3, 3:]
        places[first:] += _sampled(components, places[first:])
        world = geometry.matrix[:3, :3] @ voxels + geometry.matrix[:3, 3:]
        moved = to_moving[:3, :3] @ places + to_moving[:3, 3:]
        vectors[:, plane] = (moved - world).reshape(3, *geometry.shape[1:])
    return DisplacementField.from_vectors(vectors, geometry)


def _sampled(components: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``(D, N)`` vectors at ``(D, N)`` voxels."""
    from scipy import ndimage

    return np.stack([ndimage.map_coordinates(component, places, order=1, mode="nearest") for component in components])
