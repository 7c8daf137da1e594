"""Rigid, similarity and affine transforms from a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from medarch.core.errors import GeometryError, UsageError

LinearTransform = Literal["rigid", "similarity", "affine"]


def transform_matrix(
    parameters: Tensor, kind: LinearTransform, *, size: Sequence[int], spacing: Sequence[float] | None = None
) -> Tensor:
    """Return the voxel matrix of the transform that the parameters describe, about the middle of the grid.

    The linear part is the exponential of a matrix: of a skew one for ``rigid`` (rotation by an angle, in radians,
    about each axis), with the logarithm of a scale on its diagonal for ``similarity``, any for ``affine``. So 0 is the
    identity, nothing is mirrored, and the negated numbers turn back.

    Args:
        parameters: ``(B, P)``, first those of the linear part, then D of the translation in units of ``spacing``;
            P as :func:`parameter_count` says.
        kind: of transform.
        size: of the grid.
        spacing: of its voxels; a rotation of anisotropic voxels is one in millimetres, not in voxels. None: all 1.

    Returns:
        ``(B, D, D + 1)``.

    Raises:
        UsageError: unknown kind.
        GeometryError: another number of parameters.
    """
    dim = len(size)
    if kind not in ("rigid", "similarity", "affine"):
        raise UsageError("unknown transform", expected="rigid, similarity or affine", found=str(kind))
    expected = parameter_count(kind, dim)
    if parameters.dim() != 2 or parameters.shape[1] != expected:
        raise GeometryError(
            f"parameters of no {kind} transform in {dim}D",
            expected=f"(B, {expected})",
            found=str(tuple(parameters.shape)),
        )
    linear, translation = parameters[:, :-dim], parameters[:, -dim:]
    millimetres = torch.as_tensor(spacing or (1.0,) * dim, dtype=parameters.dtype, device=parameters.device)
    matrix = torch.linalg.matrix_exp(_generator(linear, kind, dim))
    matrix = matrix * millimetres[None, None, :] / millimetres[None, :, None]
    middle = parameters.new_tensor([(length - 1) / 2 for length in size])
    shift = middle - matrix @ middle + translation / millimetres
    return torch.cat([matrix, shift[:, :, None]], 2)


def parameter_count(kind: LinearTransform, dim: int) -> int:
    """Return how many numbers describe a transform of this kind in 2D or 3D."""
    rotations = dim * (dim - 1) // 2
    return {"rigid": rotations, "similarity": rotations + 1, "affine": dim * dim}[kind] + dim


def _generator(linear: Tensor, kind: LinearTransform, dim: int) -> Tensor:
    if kind == "affine":
        return linear.view(-1, dim, dim)
    generator = linear.new_zeros(len(linear), dim, dim)
    planes = ((0, 1),) if dim == 2 else ((1, 2), (2, 0), (0, 1))
    for number, (row, column) in enumerate(planes):
        generator[:, row, column] = -linear[:, number]
        generator[:, column, row] = linear[:, number]
    if kind == "similarity":
        eye = torch.eye(dim, dtype=linear.dtype, device=linear.device)
        generator = generator + linear[:, -1, None, None] * eye
    return generator
