"""The affine transform that lays one image onto another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from medarch.inference.registration.affine_levels import AffineLevels
from medarch.inference.registration.grid_image import GridImage, voxel_map
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.transform_matrix import LinearTransform, parameter_count, transform_matrix
from medarch.networks.motion.warp import warp
from medarch.tasks.registration.nmi import nmi

AffineSimilarity = Literal["ncc", "nmi"]

ITERATIONS = 30
GAIN = 1e-4
"""A transform that improves the similarity by less is noise: the one before it is kept."""
TINY = 1e-8


def register_affine(
    levels: AffineLevels,
    *,
    kind: LinearTransform = "affine",
    similarity: AffineSimilarity = "ncc",
    starts: Sequence[Tensor],
) -> Tensor:
    """Return the transform ``(D + 1, D + 1)`` float64 that maps millimetres of the fixed image to the moving image's.

    First rigid from each start at a coarse level, then, from the best, all that ``kind`` allows, coarse and fine. The
    similarity is over the voxels that lie inside both images and masks. L-BFGS with line search on the exponential
    parameters of :func:`transform_matrix`.

    Args:
        levels: the pair.
        kind: of transform.
        similarity: ``ncc``, correlation over the whole overlap, for images of one kind; ``nmi`` for two kinds.
        starts: transforms to start from, ``(D + 1, D + 1)`` float64.
    """
    world = register_coarsely(levels, similarity, starts)
    if kind != "rigid":
        world, _ = _improve(*levels.coarse, world, kind, similarity)
    world, _ = _improve(*levels.fine, world, kind, similarity)
    return world


def register_coarsely(levels: AffineLevels, similarity: AffineSimilarity, starts: Sequence[Tensor]) -> Tensor:
    """Return the best rigid transform at the coarse level; arguments as of :func:`register_affine`."""
    found = [_improve(*levels.coarse, start, "rigid", similarity) for start in starts]
    return min(found, key=lambda pair: pair[1])[0]


def centre_of_mass(image: GridImage) -> Tensor:
    """Return ``(D,)`` float64 in mm: the mean place of the intensities (of 0 and above) inside the mask."""
    weights = image.values.mean(1)[0].double().cpu()
    if image.mask is not None:
        weights = weights * image.mask[0, 0].double().cpu()
    total = weights.sum().clamp_min(TINY)
    centre = []
    for axis, length in enumerate(image.size):
        others = [other for other in range(image.dim) if other != axis]
        centre.append(weights.sum(others) @ torch.arange(length, dtype=torch.float64) / total)
    return image.matrix[: image.dim, : image.dim] @ torch.stack(centre) + image.matrix[: image.dim, image.dim]


def _improve(
    fixed: GridImage, moving: GridImage, world: Tensor, kind: LinearTransform, similarity: AffineSimilarity
) -> tuple[Tensor, float]:
    """The transform at one level and its loss."""
    dim = fixed.dim
    spacing = fixed.spacing_mm
    base = voxel_map(fixed, moving, world)
    step_mm = sum(spacing) / dim
    radius_mm = sum(edge * length for edge, length in zip(spacing, fixed.size, strict=True)) / dim / 2
    count = parameter_count(kind, dim)
    # One unit of every parameter moves voxels by about one voxel.
    units = base.new_full((1, count), step_mm / radius_mm)
    units[:, -dim:] = step_mm

    def matrix(parameters: Tensor) -> Tensor:
        local = transform_matrix(parameters * units, kind, size=fixed.size, spacing=spacing)
        linear = base[:, :, :dim] @ local
        return torch.cat([linear[:, :, :dim], linear[:, :, dim:] + base[:, :, dim:]], 2)

    inside = torch.ones_like(moving.values[:, :1]) if moving.mask is None else moving.mask

    def loss(parameters: Tensor) -> Tensor:
        displacement = affine_displacement(matrix(parameters), fixed.size)
        warped = warp(moving.values, displacement, outside="border")
        weights = warp(inside, displacement)
        if fixed.mask is not None:
            weights = weights * fixed.mask
        return nmi(fixed.values, warped, mask=weights) if similarity == "nmi" else _ncc(fixed.values, warped, weights)

    parameters = base.new_zeros(1, count).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=ITERATIONS, history_size=count, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(parameters)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    before = float(optimiser.step(closure).detach())  # type: ignore[no-untyped-call, arg-type]
    with torch.no_grad():
        after = float(loss(parameters))
        if not after < before - GAIN:
            return world, before
        local = transform_matrix(
            parameters.double().cpu() * units.double().cpu(), kind, size=fixed.size, spacing=spacing
        )
    homogeneous = torch.eye(dim + 1, dtype=torch.float64)
    homogeneous[:dim] = local[0]
    return world @ fixed.matrix @ homogeneous @ torch.linalg.inv(fixed.matrix), after


def _ncc(fixed: Tensor, warped: Tensor, weights: Tensor) -> Tensor:
    """One minus the correlation under weights, mean over channels."""
    axes = tuple(range(2, fixed.dim()))
    total = weights.sum(axes, keepdim=True).clamp_min(TINY)
    a = fixed - (fixed * weights).sum(axes, keepdim=True) / total
    b = warped - (warped * weights).sum(axes, keepdim=True) / total
    covariance = (a * b * weights).sum(axes)
    size = (a.square() * weights).sum(axes) * (b.square() * weights).sum(axes)
    return 1 - (covariance / (size + TINY).sqrt()).mean()
