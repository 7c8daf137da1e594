"""HoVerNet's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SLOPE_WEIGHT = 2.0
"""Of the error of slopes; the other five terms weigh 1. Source: Graham et al. 2019, section 3.2."""
SMOOTH = 1e-3
UNKNOWN = -1
"""Type of pixels whose type nobody knows."""
_KERNEL_PIXELS = 5
RAMP = 12.0
"""What the kernel of the publication, 5×5 pixels, answers to a slope of 1."""


@dataclass(frozen=True)
class HoverTarget:
    """What a HoVerNet's output is compared with."""

    nuclei: Tensor
    """``(B, *spatial)`` bool."""
    distances: Tensor
    """``(B, dim, *spatial)``, see :func:`~medarch.tasks.nuclei.distance_maps.distance_maps`."""
    types: Tensor | None = None
    """``(B, *spatial)`` int64, 0 outside of nuclei, :data:`UNKNOWN` where it does not count."""


def hover_loss(output: Tensor, target: HoverTarget, *, spacing: Sequence[float] = ()) -> Tensor:
    """Return the sum of six terms, two a decoder.

    Nuclei and types: cross-entropy and Dice; distances: mean squared error, and that of their slopes inside of nuclei.

    Source: Graham et al. 2019, arXiv:1812.06499, equations 4 to 8.

    Args:
        output: ``(B, 2 + dim + types, *spatial)`` of a :class:`~medarch.networks.nuclei.hovernet.HoVerNet`.
        target: of the output's size.
        spacing: see :func:`slope_error`.
    """
    output = output.float()
    dim = output.dim() - 2
    nuclei, distances, types = output[:, :2], output[:, 2 : 2 + dim], output[:, 2 + dim :]
    loss = cross_entropy_and_dice(nuclei, target.nuclei.long())
    loss = loss + F.mse_loss(distances, target.distances)
    loss = loss + SLOPE_WEIGHT * slope_error(distances, target.distances, target.nuclei, spacing=spacing)
    if target.types is not None and types.shape[1]:
        loss = loss + cross_entropy_and_dice(types, target.types)
    return loss


def cross_entropy_and_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy, and one minus Dice summed over classes, background among them, of the whole batch.

    Args:
        logits: ``(B, classes, *spatial)``.
        target: ``(B, *spatial)`` int64, :data:`UNKNOWN` where a pixel does not count.
    """
    known = target != UNKNOWN
    classes = logits.shape[1]
    entropy = F.cross_entropy(logits, target, ignore_index=UNKNOWN, reduction="sum") / known.sum().clamp_min(1)
    truth = F.one_hot(target.clamp_min(0), classes).movedim(-1, 1).to(logits.dtype) * known[:, None]
    shares = logits.softmax(1) * known[:, None]
    axes = (0, *range(2, logits.dim()))
    overlap, total = (shares * truth).sum(axes), shares.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * overlap + SMOOTH) / (total + SMOOTH)
    return entropy + dice.sum()


def slope_error(distances: Tensor, target: Tensor, inside: Tensor, *, spacing: Sequence[float] = ()) -> Tensor:
    """Mean squared error, inside of nuclei, of each distance map's slope along its own axis.

    The kernel of 5 pixels an axis weighs a neighbour by its offset over its squared distance; it is not normalised, so
    this term is as large as in the publication (MONAI's is about a 125th of it). In 3D, or with voxels that are longer
    along one axis, the same weights answer a slope otherwise (5×5×5 voxels 3.4 times as much, which squared would make
    this term 12 times as large); there they are scaled so that a slope of 1 a pixel is answered as in the publication.

    Args:
        distances: ``(B, dim, *spatial)``, map 0 along the last axis.
        target: as large.
        inside: ``(B, *spatial)`` bool.
        spacing: lengths of a voxel along the spatial axes, in the shortest of them; slopes are then those a shortest
            length. Empty: all 1.
    """
    dim = distances.shape[1]
    kernels = _slope_kernels(tuple(spacing) or (1.0,) * dim).to(distances)
    convolve = F.conv3d if dim == 3 else F.conv2d
    # A convolution is linear: the slope of the difference is the difference of the slopes.
    error = convolve(distances - target, kernels, padding=_KERNEL_PIXELS // 2, groups=dim).square()
    focus = inside[:, None].to(error.dtype)
    return (error * focus).sum() / (dim * focus.sum() + 1e-8)


def _slope_kernels(spacing: Sequence[float]) -> Tensor:
    """``(dim, 1, 5, 5)`` or ``(dim, 1, 5, 5, 5)``, kernel 0 along the last axis."""
    dim = len(spacing)
    steps = torch.arange(_KERNEL_PIXELS, dtype=torch.float32) - _KERNEL_PIXELS // 2
    offsets = torch.stack(torch.meshgrid(*[steps * length for length in spacing], indexing="ij")).flip(0)
    weights = offsets / offsets.square().sum(0).clamp_min(1e-15)
    answers = (weights * offsets).flatten(1).sum(1)
    return (weights * (RAMP / answers).reshape(-1, *(1,) * dim))[:, None]
