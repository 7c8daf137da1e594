"""How well each place of one map matches the places around it in another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

TINY = 1e-6


def local_matches(fixed: Tensor, moving: Tensor) -> Tensor:
    """Return the cosine between the features of a voxel and those of the other map there and one voxel along each axis.

    A network that is given two maps has to learn to compare them; this is the comparison itself. Outside of the map
    the cosine is 0. Source: the cost volume of Sun et al. 2018, "PWC-Net", arXiv:1709.02371, section 3; in 3D Kang et
    al. 2022, "Dual-stream pyramid registration network", doi:10.1016/j.media.2022.102379. Both take the diagonal
    neighbours as well, at four times the cost; on tuning pairs of hippocampi that gained nothing.

    Args:
        fixed: ``(B, C, *grid)``.
        moving: same shape, already warped.

    Returns:
        ``(B, 2 D + 1, *grid)`` float32: there, one voxel back along each axis, one forth along each.
    """
    with torch.autocast(fixed.device.type, enabled=False):
        matches: Tensor = _Matches.apply(_unit(fixed), _unit(moving))  # type: ignore[no-untyped-call]
        return matches


def _unit(features: Tensor) -> Tensor:
    """Of length 1; torch's own normalize is slow where channels lie far apart."""
    features = features.float()
    return features * (features.square().sum(1, keepdim=True) + TINY).rsqrt()


class _Matches(Function):
    """Sums of products: one map is made anew for all offsets, where autograd would make three for each."""

    @staticmethod
    def forward(ctx: Any, fixed: Tensor, moving: Tensor) -> Tensor:
        ctx.save_for_backward(fixed, moving)
        around = _padded(moving)
        views = _views(around, fixed.shape[2:])
        product, matches = torch.empty_like(fixed), fixed.new_empty(len(fixed), len(views), *fixed.shape[2:])
        for offset, view in enumerate(views):
            matches[:, offset] = torch.mul(fixed, view, out=product).sum(1)
        return matches

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        fixed, moving = ctx.saved_tensors
        grid = fixed.shape[2:]
        around = _padded(moving)
        of_fixed, of_around = torch.zeros_like(fixed), torch.zeros_like(around)
        sides = zip(_views(around, grid), _views(of_around, grid), torch.split(gradient, 1, dim=1), strict=True)
        for view, of_view, slope in sides:
            of_fixed.addcmul_(view, slope)
            of_view.addcmul_(fixed, slope)
        return of_fixed, _views(of_around, grid)[0]


def _padded(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1) * (x.dim() - 2))


def _views(around: Tensor, grid: torch.Size) -> list[Tensor]:
    """The map in its place, moved back by a voxel along each axis, moved forth."""
    axes = range(len(grid))
    moved = [tuple(step * (other == axis) for other in axes) for step in (-1, 1) for axis in axes]
    views = []
    for steps in ((0,) * len(grid), *moved):
        place = [slice(1 + step, 1 + step + side) for step, side in zip(steps, grid, strict=True)]
        views.append(around[(slice(None), slice(None), *place)])
    return views
