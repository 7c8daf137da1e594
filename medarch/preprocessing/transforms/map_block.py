"""The points of a block of a grid through a chain."""

from __future__ import annotations

import numpy as np

from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import DisplacementField, TransformChain
from medarch.preprocessing.transforms.grid_blocks import GridBlock
from medarch.preprocessing.transforms.map_points import MappedPoints, map_points


def map_block(block: GridBlock, grid: Geometry, chain: TransformChain, *, extend: bool = False) -> MappedPoints:
    """Return where the points go; a first field that lies on this very grid needs no interpolation."""
    first = chain.parts[0] if chain.parts else None
    if (
        isinstance(first, DisplacementField)
        and first.geometry == grid
        and first.interpolation == "linear"
        and not first.inverted
    ):
        shift = block.of(first.vectors).reshape(3, -1).T
        return map_points(block.points_mm + shift.astype(np.float64), TransformChain(chain.parts[1:]), extend=extend)
    return map_points(block.points_mm, chain, extend=extend)
