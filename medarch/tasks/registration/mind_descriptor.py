"""Self-similarity of an image around every voxel."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from medarch.tasks.registration.box_sum import box_sum
from medarch.tasks.registration.full_precision import full_precision

FLOOR = 1e-6
LEAST = -100.0
"""Logarithm of a descriptor; that of 0 is not finite, and counts nothing."""

Views: TypeAlias = "tuple[Tensor, Tensor]"


def mind_descriptor(image: Tensor, *, radius: int = 1, dilation: int = 2) -> Tensor:
    """Describe each voxel by how alike its neighbouring patches are to each other, whatever the modality.

    Source: Heinrich et al. 2013, "Towards realtime multimodal fusion for image-guided interventions using
    self-similarities" (MIND-SSC): patches around the neighbours along the axes are compared in all pairs that are
    not opposite each other, 12 in 3D and 4 in 2D; ``exp(-D / V)`` with ``V`` the mean over the pairs. Pairs go through
    one after the other, and again for the gradient, which is written down, not traced; ``V``'s bounds count as
    constant.

    Args:
        image: ``(B, C, *grid)``; channels are described one by one.
        radius: of a patch, in voxels.
        dilation: distance of the neighbours, in voxels.

    Returns:
        ``(B, C * pairs, *grid)`` from 0 to 1, in float32 or float64.
    """
    with torch.autocast(image.device.type, enabled=False):
        each = full_precision(image).flatten(0, 1)[:, None]
        padded = F.pad(each, [dilation] * (2 * (image.dim() - 2)), mode="replicate")
        descriptor: Tensor = _Descriptor.apply(padded, radius, dilation)  # type: ignore[no-untyped-call]
        return descriptor.reshape(len(image), -1, *image.shape[2:])


class _Descriptor(Function):
    @staticmethod
    def forward(ctx: Any, padded: Tensor, radius: int, dilation: int) -> Tensor:
        pairs = _pairs(padded, dilation)
        distances = torch.cat([_patch_means((a - b).square_(), radius) for a, b in pairs], dim=1)
        lowest, place = distances.min(1, keepdim=True)
        variance = distances.sub_(lowest).mean(1, keepdim=True)
        typical = variance.mean(tuple(range(1, variance.dim())), keepdim=True)
        # As in the paper's code: noise and edges are not to decide alone.
        bounded = torch.maximum(torch.minimum(variance, 1000 * typical), 0.001 * typical + FLOOR)
        descriptor = distances.div_(bounded).neg_().exp_()
        ctx.save_for_backward(padded, descriptor, bounded, bounded == variance, place)
        ctx.radius, ctx.dilation = radius, dilation
        return descriptor

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        padded, descriptor, variance, free, place = ctx.saved_tensors
        found = torch.zeros_like(padded)
        pairs = list(zip(_pairs(padded, ctx.dilation), _pairs(found, ctx.dilation), strict=True))
        # With D the distances less the lowest of them: slope = ∂loss/∂D, through exp(-D / V) and through V.
        slope = (gradient * descriptor).div_(-variance)
        through = descriptor.log().clamp_(min=LEAST).mul_(slope).sum(1, keepdim=True).mul_(free)
        slope += through / len(pairs)
        lowest = slope.sum(1, keepdim=True)
        for number, ((a, b), (found_a, found_b)) in enumerate(pairs):
            own = slope[:, number : number + 1] - lowest * (place == number)
            own = _spread(own, ctx.radius).mul_(a - b).mul_(2)
            found_a.add_(own)
            found_b.sub_(own)
        return found, None, None


def _pairs(padded: Tensor, dilation: int) -> list[Views]:
    """The image moved to each neighbour along an axis, in all pairs of neighbours that are not opposite each other."""
    spatial = padded.dim() - 2
    size = [side - 2 * dilation for side in padded.shape[2:]]
    views = {}
    for axis, sign in product(range(spatial), (-1, 1)):
        starts = [dilation + sign * dilation * (axis == other) for other in range(spatial)]
        slices = (slice(start, start + side) for start, side in zip(starts, size, strict=True))
        views[axis, sign] = padded[(slice(None), slice(None), *slices)]
    return [(views[a], views[b]) for a, b in combinations(views, 2) if a[0] != b[0]]


def _patch_means(x: Tensor, radius: int) -> Tensor:
    """Means over the patch around each voxel; outside the grid the nearest voxel counts."""
    spatial = x.dim() - 2
    edge = F.pad(x, [radius] * (2 * spatial), mode="replicate")
    inner = (slice(None), slice(None), *(slice(radius, radius + size) for size in x.shape[2:]))
    means: Tensor = box_sum(edge, (2 * radius + 1,) * spatial)[inner] / (2 * radius + 1) ** spatial
    return means


def _spread(x: Tensor, radius: int) -> Tensor:
    """The other way round: what each voxel gets from the patches that it is part of."""
    spatial = x.dim() - 2
    x = box_sum(F.pad(x, [radius] * (2 * spatial)), (2 * radius + 1,) * spatial) / (2 * radius + 1) ** spatial
    for axis in range(2, x.dim()):
        size = x.shape[axis] - 2 * radius
        x.narrow(axis, radius, 1).add_(x.narrow(axis, 0, radius).sum(axis, keepdim=True))
        x.narrow(axis, radius + size - 1, 1).add_(x.narrow(axis, radius + size, radius).sum(axis, keepdim=True))
        x = x.narrow(axis, radius, size)
    return x
