"""The same image with larger voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.inference.registration.grid_image import GridImage

SMALLEST_SIDE = 4
"""Voxels that an axis keeps, if it has them."""


def coarsen(image: GridImage, spacing_mm: float) -> GridImage:
    """Smooth and sample an image so that no voxel edge is much shorter than ``spacing_mm``; the corners stay in place.

    Axes that are as coarse already stay as they are, so that levels of an anisotropic image become isotropic first.
    """
    size = tuple(
        length if edge >= spacing_mm else max(min(length, SMALLEST_SIDE), 1 + round((length - 1) * edge / spacing_mm))
        for length, edge in zip(image.size, image.spacing_mm, strict=True)
    )
    if size == image.size:
        return image
    ratios = [(old - 1) / max(1, new - 1) for old, new in zip(image.size, size, strict=True)]
    # A Gaussian of variance 1/4 (in voxels squared) for one voxel becomes one of a coarse voxel.
    sigmas = [math.sqrt(ratio**2 - 1) / 2 for ratio in ratios]
    scaling = torch.diag(torch.tensor([*ratios, 1.0], dtype=torch.float64))
    mask = None if image.mask is None else _resample(image.mask, sigmas, size)
    return GridImage(_resample(image.values, sigmas, size), image.matrix @ scaling, mask)


def spacing_of_voxels(image: GridImage, voxels: int) -> float:
    """Return the spacing in mm at which :func:`coarsen` leaves at most so many voxels, at least the smallest edge."""
    spacing = min(image.spacing_mm)

    def left() -> float:
        sides = (
            max(min(length, SMALLEST_SIDE), length * min(1.0, edge / spacing))
            for length, edge in zip(image.size, image.spacing_mm, strict=True)
        )
        return math.prod(sides)

    while left() > voxels and spacing < max(
        length * edge for length, edge in zip(image.size, image.spacing_mm, strict=True)
    ):
        spacing *= 1.02
    return spacing


def _resample(values: Tensor, sigmas: Sequence[float], size: Sequence[int]) -> Tensor:
    for axis, sigma in enumerate(sigmas, start=2):
        values = _smooth(values, axis, sigma)
    mode = "trilinear" if values.dim() == 5 else "bilinear"
    return F.interpolate(values, tuple(size), mode=mode, align_corners=True)


def _smooth(values: Tensor, axis: int, sigma: float) -> Tensor:
    """Gaussian along one axis, the faces repeated outside."""
    radius = round(3 * sigma)
    if radius == 0:
        return values
    offsets = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    lines = values.movedim(axis, -1)
    flat = lines.reshape(-1, 1, lines.shape[-1])
    smooth = F.conv1d(F.pad(flat, (radius, radius), mode="replicate"), (kernel / kernel.sum()).view(1, 1, -1))
    return smooth.view(lines.shape).movedim(-1, axis).contiguous()
