"""Rotation and scaling of patches in one resampling, batched on the device."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

OUTSIDE = -1
"""Label of voxels outside the case."""


def patch_matrix(rotation: np.ndarray, scale: float) -> np.ndarray:
    """``(3, 3)`` matrix from a step in the patch to one in the case: rotation about axes 0, 1, 2, times scale."""
    matrix = np.eye(3) * scale
    for axis, angle in enumerate(rotation):
        first, second = (other for other in range(3) if other != axis)
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def keep_axis_0(matrix: np.ndarray) -> np.ndarray:
    """Leave axis 0 out of a matrix that rotates about axis 0 alone (2D patches, and "dummy 2D" of anisotropic ones)."""
    matrix = matrix.copy()
    matrix[0], matrix[:, 0] = 0.0, 0.0
    matrix[0, 0] = 1.0
    return matrix


def source_box(matrix: np.ndarray, centre: np.ndarray, patch: Sequence[int]) -> list[tuple[int, int]]:
    """The smallest half-open box of case voxels that all sampling points and their neighbours fall into."""
    corners = np.array(list(itertools.product(*[(-(size - 1) / 2, (size - 1) / 2) for size in patch])))
    points = corners @ matrix.T + centre
    return [
        (int(low), int(high) + 2) for low, high in zip(np.floor(points.min(0)), np.floor(points.max(0)), strict=True)
    ]


def resample_patches(
    images: Tensor, labels: Tensor | None, theta: Tensor, *, patch: Sequence[int]
) -> tuple[Tensor, Tensor | None]:
    """Sample patches.

    Args:
        images: ``(M, C, *source)``, 0 outside.
        labels: ``(M, L, *source)`` integers, -1 outside; or None.
        theta: ``(M, 3, 4)``.
        patch: shape of the patch.

    Returns:
        Images ``(M, C, *patch)`` by linear interpolation, and labels ``(M, L, *patch)``: the label whose linearly
        interpolated indicator is largest.
    """
    grid = F.affine_grid(theta, [len(images), 1, *patch], align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if labels is None:
        return moved, None
    best = torch.full((len(images), labels.shape[1], *patch), 0.0, device=images.device)
    winner = torch.full_like(best, OUTSIDE)
    remainder = torch.ones_like(best)
    for value in torch.unique(labels).tolist():
        if value == OUTSIDE:
            continue
        share = F.grid_sample((labels == value).to(images.dtype), grid, padding_mode="zeros", align_corners=False)
        remainder -= share
        wins = share > best
        best = torch.where(wins, share, best)
        winner.masked_fill_(wins, value)
    winner.masked_fill_(remainder > best, OUTSIDE)
    return moved, winner.to(labels.dtype)
