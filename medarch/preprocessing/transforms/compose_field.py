"""A chain of transforms as one displacement field."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medarch.core.errors import TransformError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import DisplacementField, TransformChain
from medarch.preprocessing.transforms.grid_blocks import grid_blocks
from medarch.preprocessing.transforms.map_block import map_block
from medarch.preprocessing.transforms.warp_volume import require_dimension


def compose_field(chain: TransformChain, grid: Geometry, *, dtype: npt.DTypeLike = np.float32) -> DisplacementField:
    """Sample a chain at the voxels of a grid, inverses included. Between them the field is interpolated linearly.

    So a voxel that nothing in an inverted field moves to gets what the continued field says: left in place beside
    voxels that are moved far, it would spoil all places between them.

    Args:
        chain: what to sample.
        grid: usually the fixed image's; of an inverse, the moving image's.
        dtype: float32 or float64.

    Raises:
        TransformError: the chain is of 2D images and the grid is not, or none of the grid is covered by its fields.
    """
    require_dimension(chain, grid)
    i, j, k = grid.shape
    vectors = np.zeros((3, k, j, i), dtype=dtype).transpose(0, 3, 2, 1)
    defined = 0
    for block in grid_blocks(grid):
        points, known = map_block(block, grid, chain, extend=True)
        block.of(vectors)[...] = (points - block.points_mm).T.reshape(3, *block.shape)
        defined += int(known.sum())
    if not defined:
        raise TransformError(
            "no voxel of the grid lies in the displacement field",
            expected="a field on or around the grid",
            found="a field elsewhere",
            fix="check the transforms' order, and whether the inverse is meant",
        )
    return DisplacementField.from_vectors(vectors, grid, dimension=chain.dimension)
