"""The same image with larger voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

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
    """Smooth and interpolate linearly: one product with a matrix an axis, most voxels gone after the first."""
    shrunk = [axis for axis, length in enumerate(size, start=2) if length != values.shape[axis]]
    for axis in sorted(shrunk, key=lambda axis: size[axis - 2] / values.shape[axis]):
        before, old, after = values.shape[:axis], values.shape[axis], values.shape[axis + 1 :]
        matrix = _line_matrix(old, size[axis - 2], sigmas[axis - 2]).to(values)
        parts = values.reshape(before.numel(), old, after.numel())
        product = matrix @ parts if after.numel() > 1 else parts[..., 0] @ matrix.T
        values = product.reshape(*before, -1, *after)
    return values


def _line_matrix(old: int, new: int, sigma: float) -> Tensor:
    """``(new, old)`` float64: a Gaussian along a line whose ends are repeated outside, then ``new`` samples of it.

    Args:
        old: from 2.
        new: below ``old``.
        sigma: above 0.
    """
    radius = round(3 * sigma)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    columns = (torch.arange(old)[:, None] + offsets).clamp(0, old - 1)
    smoothing = torch.zeros(old, old, dtype=torch.float64)
    smoothing.scatter_add_(1, columns, (kernel / kernel.sum()).expand(old, -1))
    places = torch.linspace(0, old - 1, new, dtype=torch.float64)
    left = places.floor().clamp(max=old - 2).long()
    share = (places - left)[:, None]
    return (1 - share) * smoothing[left] + share * smoothing[left + 1]
