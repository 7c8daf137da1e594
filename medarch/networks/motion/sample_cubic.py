"""Interpolation by B-splines of degree 3."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

MARGIN = 2
"""Coefficients beyond each face that a position up to half a voxel outside reaches."""


def sample_cubic(image: Tensor, positions: Tensor, *, zeros_outside: bool) -> Tensor:
    """Return the interpolating cubic B-spline of ``image`` at ``positions``; edges are mirrored.

    Source: Unser et al. 1991, doi:10.1109/34.75515; two of the four taps of an axis are read as one linear sample
    (Sigg, Hadwiger 2005, GPU Gems 2, chapter 20), which leaves 2^D samples of 4^D.

    Args:
        image: ``(B, C, *moving)`` floating point.
        positions: ``(B, D, *grid)`` in voxels of the image.
        zeros_outside: 0 from half a voxel outside; else the position is moved onto the image.

    Returns:
        ``(B, C, *grid)``.
    """
    dim, size = positions.shape[1], image.shape[2:]
    coefficients = image
    for axis, length in enumerate(size):
        coefficients = _filtered(coefficients, axis + 2, length)
    limits = positions.new_tensor([length - 1 for length in size]).view(1, dim, *[1] * dim)
    inside = ((positions >= -0.5) & (positions < limits + 0.5)).all(1, keepdim=True)
    places = positions.clamp(min=-0.5).minimum(limits + 0.5) if zeros_outside else positions.clamp(min=0)
    places = places if zeros_outside else places.minimum(limits)
    weights, starts = _taps(places)
    scale = 2 / (limits + 2 * MARGIN)
    total = torch.zeros((), dtype=image.dtype, device=image.device)
    for side in product((0, 1), repeat=dim):
        where = torch.stack([starts[which][:, axis] for axis, which in enumerate(side)], 1)
        weight = torch.stack([weights[which][:, axis] for axis, which in enumerate(side)]).prod(0)
        grid = ((where + MARGIN) * scale - 1).flip(1).movedim(1, -1)
        total = total + weight[:, None] * F.grid_sample(coefficients, grid, padding_mode="border", align_corners=True)
    return total * inside if zeros_outside else total


def _taps(places: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weight and position of the two linear samples along each axis."""
    whole = places.detach().floor()
    t = places - whole
    first, last = (1 - t) ** 3 / 6, t**3 / 6
    second = (3 * t**3 - 6 * t**2 + 4) / 6
    third = 1 - first - second - last
    near, far = first + second, third + last
    return (near, far), (whole - 1 + second / near, whole + 1 + last / far)


def _filtered(image: Tensor, axis: int, length: int) -> Tensor:
    """Samples → coefficients along one axis, with ``MARGIN`` mirrored ones at either end."""
    matrix = torch.eye(length, dtype=torch.float64) * (4 / 6)
    for row in range(length if length > 1 else 0):
        for neighbour in (row - 1, row + 1):
            matrix[row, _mirrored(neighbour, length)] += 1 / 6
    if length == 1:
        matrix = torch.ones(1, 1, dtype=torch.float64)
    inverse = torch.linalg.inv(matrix)
    rows = [_mirrored(index, length) for index in range(-MARGIN, length + MARGIN)]
    filtered = inverse[rows].to(image)
    applied: Tensor = torch.tensordot(image, filtered, dims=([axis], [1]))
    return applied.movedim(-1, axis)


def _mirrored(index: int, length: int) -> int:
    if length == 1:
        return 0
    period = 2 * (length - 1)
    index = abs(index) % period
    return min(index, period - index)
