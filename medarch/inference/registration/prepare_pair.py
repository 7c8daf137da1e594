"""Two images made ready: checked, on one scale of intensities, as tensors that know their millimetres."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.pair_image import PairImage

PERCENTILES = (0.5, 99.5)
"""Intensities that become 0 and 1; what lies outside is clipped."""
SMALLEST_SHARE = 0.5
"""Of a moving slice's area that is left in the plane of the fixed one; below, the planes are different."""


def prepare_pair(fixed: PairImage, moving: PairImage, *, device: torch.device) -> tuple[GridImage, GridImage]:
    """Return both images with intensities from 0 to 1, in 2D if both have one slice.

    Planes at the faces that hold a single value are padding: no tissue ends there, so they do not count.

    The millimetres of a 2D pair are counted in the plane of the fixed slice.

    Raises:
        GeometryError: one image is 2D and the other 3D, they differ in channels, their planes stand at an angle, or an
            axis of a volume has a single voxel.
        VolumeError: an image or mask is empty, holds NaN or infinity, or a mask has another shape than its image.
    """
    flat = [image.geometry.shape[2] == 1 for image in (fixed, moving)]
    if flat[0] != flat[1]:
        raise GeometryError(
            "the images differ in dimension",
            expected="two images (I, J) or two volumes (I, J, K)",
            found=f"fixed {_size(fixed.geometry)}, moving {_size(moving.geometry)}",
            fix="register a slice to a slice, or a volume to a volume",
        )
    if len(fixed.array) != len(moving.array):
        raise GeometryError(
            "the images differ in channels",
            expected=f"{len(fixed.array)}, as the fixed image has",
            found=f"{len(moving.array)} in the moving image",
            fix="give one channel of each, such as the grey image",
        )
    matrices = _matrices_2d(fixed.geometry, moving.geometry) if flat[0] else _matrices_3d(fixed, moving)
    first, second = (
        _tensors(image, matrix, name, device)
        for image, matrix, name in zip((fixed, moving), matrices, ("fixed", "moving"), strict=True)
    )
    return first, second


def _matrices_3d(fixed: PairImage, moving: PairImage) -> list[np.ndarray]:
    return [image.geometry.matrix for image in (fixed, moving)]


def _matrices_2d(fixed: Geometry, moving: Geometry) -> list[np.ndarray]:
    """``(3, 3)``: voxel index → millimetres along two axes in the fixed slice's plane."""
    axes, _ = np.linalg.qr(fixed.matrix[:3, :2])
    axes *= np.sign((axes * fixed.matrix[:3, :2]).sum(0))
    matrices = []
    for geometry in (fixed, moving):
        matrix = np.eye(3)
        matrix[:2, :2] = axes.T @ geometry.matrix[:3, :2]
        matrix[:2, 2] = axes.T @ geometry.matrix[:3, 3]
        matrices.append(matrix)
    area = np.prod(np.linalg.norm(moving.matrix[:3, :2], axis=0))
    left = abs(np.linalg.det(matrices[1][:2, :2])) / area
    if left < SMALLEST_SHARE:
        raise GeometryError(
            "the slices lie in different planes",
            expected="two slices of about one direction",
            found=f"an angle of {np.degrees(np.arccos(left)):.0f}°",
            fix="cut both volumes along one direction",
        )
    return matrices


def _tensors(image: PairImage, matrix: np.ndarray, name: str, device: torch.device) -> GridImage:
    array = image.array
    if array.shape[1:] != image.geometry.shape:
        raise GeometryError(
            f"the {name} image is not on its grid", expected=_size(image.geometry), found=str(array.shape[1:])
        )
    dim = len(matrix) - 1
    shape = image.geometry.shape[:dim]
    if min(shape) < 2:
        raise GeometryError(
            f"the {name} image has a single voxel along an axis",
            expected="a volume of two voxels or more along each axis, or a slice (I, J) whose own axis is the last",
            found=_size(image.geometry),
            fix="turn the file's axes, so that the slice's is the last",
        )
    bad = int(np.size(array) - np.isfinite(array).sum())
    if bad:
        raise VolumeError(
            f"the {name} image holds NaN or infinity",
            expected="a finite number in every voxel",
            found=f"{bad} of {np.size(array)} voxels are not",
            fix="write 0 (or -1024 in CT) there, and give a mask of the rest",
        )
    mask = None if image.mask is None else _mask(image, name)
    content = _content(array)
    if mask is None and not content.all():
        mask = content
    elif mask is not None and (mask & content).any():
        mask = mask & content
    values = np.stack([_scaled(channel, mask, name) for channel in array])
    return GridImage(
        torch.from_numpy(values.reshape(1, len(values), *shape)),
        torch.from_numpy(matrix),
        None if mask is None else _as_weights(mask, shape),
    ).to(device)


def _content(array: np.ndarray) -> np.ndarray:
    """``(I, J, K)`` bool: all but the planes at the faces in which every channel has a single value."""
    content = np.zeros(array.shape[1:], dtype=bool)
    box = []
    for axis in range(1, array.ndim):
        others = tuple(other for other in range(1, array.ndim) if other != axis)
        varied = (array.max(axis=others) > array.min(axis=others)).any(axis=0)
        used = np.flatnonzero(varied) if varied.any() else np.arange(varied.size)
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    content[tuple(box)] = True
    return content


def _mask(image: PairImage, name: str) -> np.ndarray:
    mask: np.ndarray = np.asarray(image.mask) != 0
    if mask.shape != image.geometry.shape or not mask.any():
        raise VolumeError(
            f"the mask of the {name} image does not fit",
            expected=f"{_size(image.geometry)} voxels, some of them not 0",
            found=f"{mask.shape}, {int(mask.sum())} not 0",
            fix="give a mask on the image's grid",
        )
    return mask


def _scaled(channel: np.ndarray, mask: np.ndarray | None, name: str) -> np.ndarray:
    counted = channel if mask is None else channel[mask]
    low, high = np.percentile(counted, PERCENTILES)
    if not high > low:  # a few bright voxels on nothing
        low, high = counted.min(), counted.max()
    if not high > low:
        raise VolumeError(
            f"the {name} image is empty",
            expected="voxels of different intensities" + ("" if mask is None else " inside the mask"),
            found=f"{float(low):g} everywhere",
            fix="check the file" + ("" if mask is None else " and its mask"),
        )
    scaled: np.ndarray = np.ascontiguousarray(channel, dtype=np.float32) - np.float32(low)
    scaled /= np.float32(high - low)
    return scaled.clip(0, 1, out=scaled)


def _as_weights(mask: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32).reshape(1, 1, *shape))


def _size(geometry: Geometry) -> str:
    return "×".join(map(str, geometry.shape))
