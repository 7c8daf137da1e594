"""An image or label map through a chain of transforms, onto the fixed image's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.errors import GeometryError, TransformError, UsageError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import TransformChain, is_in_plane
from medarch.preprocessing.transforms.grid_blocks import grid_blocks
from medarch.preprocessing.transforms.map_block import map_block
from medarch.preprocessing.transforms.sample_volume import (
    Interpolation,
    inside_grid,
    sample_volume,
    spline_coefficients,
)


@dataclass(frozen=True)
class WarpedVolume:
    """A volume on the fixed grid."""

    array: np.ndarray
    """``(C, I, J, K)``, in file order; float32, or the input's type if taken from the nearest voxel."""
    defined: float
    """Share of the grid's voxels that every field of the chain covers; elsewhere a field moves nothing."""
    inside: float
    """Share of the grid's voxels that lie in the moving image; the others have the fill value."""


def warp_volume(
    array: np.ndarray,
    moving: Geometry,
    fixed: Geometry,
    chain: TransformChain,
    *,
    interpolation: Interpolation = "linear",
    fill: float = 0.0,
) -> WarpedVolume:
    """Sample a volume where the chain sends the voxels of the fixed grid, as ``SimpleITK.Resample`` does.

    Coordinates are float64; memory is the volumes (cubic: and a float64 copy of the input) and some 100 MiB.

    Args:
        array: ``(C, I, J, K)`` on the moving grid.
        moving: its grid.
        fixed: the grid of the result.
        chain: from points of the fixed image to points of the moving one.
        interpolation: ``linear``, ``cubic`` (spline, overshoot and all), or ``nearest`` for label maps.
        fill: the value outside of the moving image.

    Raises:
        TransformError: a 2D chain meets a volume, or none of the fixed grid is covered by the chain's fields.
        UsageError: the result's voxels cannot hold the fill value.
        GeometryError: nothing of the moving image lies on the fixed grid.
    """
    require_dimension(chain, moving, fixed)
    channels, (i, j, k) = len(array), fixed.shape
    dtype = array.dtype if interpolation == "nearest" else np.dtype(np.float32)
    _require_holdable(fill, dtype)
    result = np.full((channels, k, j, i), fill, dtype=dtype).transpose(0, 3, 2, 1)
    sources = [spline_coefficients(channel) for channel in array] if interpolation == "cubic" else list(array)
    to_voxels = np.linalg.inv(moving.matrix)
    defined = within = 0
    for block in grid_blocks(fixed):
        points, known = map_block(block, fixed, chain)
        index = to_voxels[:3, :3] @ points.T + to_voxels[:3, 3:]
        if chain.dimension == 2:
            index[2] = 0.0
        inside = inside_grid(index, moving.shape)
        index = index[:, inside]
        for source, target in zip(sources, block.of(result), strict=True):
            target[inside.reshape(block.shape)] = sample_volume(source, index, interpolation=interpolation)
        defined += int(known.sum())
        within += len(index[0])
    total = i * j * k
    if not defined:
        raise TransformError(
            "no voxel of the reference lies in the displacement field",
            expected="a field on or around the reference's grid",
            found="a field elsewhere",
            fix="check the reference, the transforms' order, and whether the inverse is meant",
        )
    if not within:
        raise GeometryError(
            "nothing of the input lies on the reference",
            expected="images that overlap after the transform",
            found="every voxel of the reference is sent outside of the input",
            fix="check the reference, the transforms' order, and whether the inverse is meant",
        )
    return WarpedVolume(result, defined / total, within / total)


def _require_holdable(fill: float, dtype: np.dtype) -> None:
    held = np.float32 if dtype.kind == "f" else dtype
    limits = np.finfo(held) if dtype.kind == "f" else np.iinfo(dtype)
    if not limits.min <= fill <= limits.max or (dtype.kind != "f" and fill != round(fill)):
        raise UsageError(
            "the fill value does not fit the voxels",
            expected=f"a value of {dtype}, as the input is",
            found=str(fill),
            fix="choose another, or interpolate linearly, which gives float32",
        )


def require_dimension(chain: TransformChain, *grids: Geometry) -> None:
    """Refuse volumes with a chain that is of 2D images.

    Raises:
        TransformError: a grid has several slices, or its slice does not lie in the plane of x and y.
    """
    for grid in grids:
        if chain.dimension == 2 and (grid.shape[2] != 1 or not is_in_plane(grid.matrix)):
            raise TransformError(
                "a transform of 2D images cannot move a volume",
                expected="2D images, or a 3D transform",
                found=f"a 2D transform and a grid of {grid.shape}",
                fix="give the transform that was made for these images",
            )
