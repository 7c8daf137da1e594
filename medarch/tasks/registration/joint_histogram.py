"""How often intensities of two images meet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

TINY = 1e-7
BLOCK = 2**14
"""Voxels at once: their shares in all bins stay in the processor's cache."""
SHARPNESS = 2.0
"""A voxel's share falls off as exp(-2 d²) with the distance d in bins: a Gaussian of half a bin's width."""
FAR = -40.0
"""Exponents below make no difference, but numbers so small that processors take ten times as long for them."""
ENDS = (torch.inf, -torch.inf)


def joint_histogram(fixed: Tensor, moving: Tensor, *, bins: int, mask: Tensor | None = None) -> Tensor:
    """Joint distribution of the intensities of each pair of images, with a gradient to both and to the mask.

    Every voxel is shared out between bins by a Gaussian of half a bin's width (Parzen window), which makes the
    histogram differentiable. Intensities are spread over the bins between the smallest and the largest of each image
    that count. Blocks of voxels go through one after the other, and again for the gradient, which is written down, not
    traced: no array of voxels × bins is kept.

    Args:
        fixed: ``(B, C, voxels)`` float32 or float64.
        moving: same shape.
        bins: of each image.
        mask: ``(B, 1, voxels)`` weights from 0 to 1.

    Returns:
        ``(B, C, bins, bins)``, which adds up to 1 (to 0 where nothing counts).
    """
    rows = fixed.shape[:2]
    if mask is None:
        weights = torch.full_like(fixed[:1, :1, :1], 1 / fixed.shape[2]).expand(fixed.shape)
    else:
        weights = (mask / mask.sum(2, keepdim=True).clamp_min(TINY)).expand(fixed.shape)
    places = [_place(image, bins, mask).flatten(0, 1) for image in (fixed, moving)]
    joint: Tensor = _JointHistogram.apply(*places, weights.flatten(0, 1), bins)  # type: ignore[no-untyped-call]
    return joint.view(*rows, bins, bins)


def _place(values: Tensor, bins: int, mask: Tensor | None) -> Tensor:
    """Of each voxel in the bins, from 0 to ``bins - 1``."""
    with torch.no_grad():
        low, high = (values, values) if mask is None else (values.masked_fill(mask <= 0, end) for end in ENDS)
        lowest = low.amin(2, keepdim=True)
        span = (high.amax(2, keepdim=True) - lowest).clamp_min(TINY)
    return ((values - lowest) / span).clamp(0, 1) * (bins - 1)


class _JointHistogram(Function):
    @staticmethod
    def forward(ctx: Any, fixed: Tensor, moving: Tensor, weights: Tensor, bins: int) -> Tensor:
        """Of places and weights ``(images, voxels)``."""
        joint = fixed.new_zeros(len(fixed), bins, bins)
        for image, part in _blocks(fixed):
            first = _shares(fixed[image, part], bins).mul_(weights[image, part, None])
            joint[image].addmm_(first.T, _shares(moving[image, part], bins))
        ctx.save_for_backward(fixed, moving, weights)
        ctx.bins = bins
        return joint

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        fixed, moving, weights = ctx.saved_tensors
        found = [
            torch.empty_like(given) if wanted else None
            for given, wanted in zip(ctx.saved_tensors, ctx.needs_input_grad[:3], strict=True)
        ]
        numbers = torch.arange(ctx.bins, dtype=fixed.dtype, device=fixed.device)
        for image, part in _blocks(fixed):
            first, second = (_shares(places[image, part], ctx.bins) for places in (fixed, moving))
            of_first, of_second = second @ gradient[image].T, first @ gradient[image]
            weight = weights[image, part]
            if found[0] is not None:
                found[0][image, part] = _slope_of_place(first, of_first, numbers).mul_(weight)
            if found[1] is not None:
                found[1][image, part] = _slope_of_place(second, of_second, numbers).mul_(weight)
            if found[2] is not None:
                found[2][image, part] = (first * of_first).sum(1)
        return found[0], found[1], found[2], None


def _blocks(places: Tensor) -> list[tuple[int, slice]]:
    images, voxels = places.shape
    return [(image, slice(start, start + BLOCK)) for image in range(images) for start in range(0, voxels, BLOCK)]


def _shares(place: Tensor, bins: int) -> Tensor:
    """``(voxels,)`` → each voxel's share in each bin, ``(voxels, bins)``."""
    distance = place[:, None] - torch.arange(bins, dtype=place.dtype, device=place.device)
    return distance.square_().mul_(-SHARPNESS).clamp_(min=FAR).softmax(1)


def _slope_of_place(shares: Tensor, slope: Tensor, numbers: Tensor) -> Tensor:
    """Gradient with respect to the place, from that with respect to the shares, ``(voxels, bins)``: of a softmax."""
    slope = shares * slope
    return (slope @ numbers).sub_((shares @ numbers).mul_(slope.sum(1))).mul_(2 * SHARPNESS)
