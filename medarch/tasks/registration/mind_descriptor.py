"""Self-similarity of an image around every voxel."""

from __future__ import annotations

from itertools import combinations, product

import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.tasks.registration.box_sum import box_sum
from medarch.tasks.registration.full_precision import full_precision

FLOOR = 1e-6


def mind_descriptor(image: Tensor, *, radius: int = 1, dilation: int = 2) -> Tensor:
    """Describe each voxel by how alike its neighbouring patches are to each other, whatever the modality.

    Source: Heinrich et al. 2013, "Towards realtime multimodal fusion for image-guided interventions using
    self-similarities" (MIND-SSC): patches around the neighbours along the axes are compared in all pairs that are
    not opposite each other, 12 in 3D and 4 in 2D; ``exp(-D / V)`` with ``V`` the mean over the pairs.

    Args:
        image: ``(B, 1, *grid)``.
        radius: of a patch, in voxels.
        dilation: distance of the neighbours, in voxels.

    Returns:
        ``(B, pairs, *grid)`` from 0 to 1, in float32 or float64.
    """
    spatial = image.dim() - 2
    with torch.autocast(image.device.type, enabled=False):
        image = full_precision(image)
        padded = F.pad(image, [dilation] * (2 * spatial), mode="replicate")
        neighbours = [(axis, sign) for axis, sign in product(range(spatial), (-1, 1))]
        views = {place: _neighbour(padded, *place, dilation, tuple(image.shape[2:])) for place in neighbours}
        pairs = [(a, b) for a, b in combinations(neighbours, 2) if a[0] != b[0]]
        differences = torch.cat([(views[a] - views[b]).square() for a, b in pairs], dim=1)
        window = (2 * radius + 1,) * spatial
        edge = F.pad(differences, [radius] * (2 * spatial), mode="replicate")
        inner = (slice(None), slice(None), *(slice(radius, radius + size) for size in image.shape[2:]))
        distances = box_sum(edge, window)[inner] / (2 * radius + 1) ** spatial
        distances = distances - distances.amin(1, keepdim=True)
        variance = distances.mean(1, keepdim=True)
        typical = variance.detach().mean(tuple(range(1, variance.dim())), keepdim=True)
        # As in the paper's code: noise and edges are not to decide alone.
        variance = torch.maximum(torch.minimum(variance, 1000 * typical), 0.001 * typical + FLOOR)
        descriptor: Tensor = (-distances / variance).exp()
        return descriptor


def _neighbour(padded: Tensor, axis: int, sign: int, dilation: int, size: tuple[int, ...]) -> Tensor:
    """The image moved by ``sign * dilation`` voxels along an axis."""
    starts = [dilation + sign * dilation * (axis == other) for other in range(len(size))]
    slices = (slice(start, start + side) for start, side in zip(starts, size, strict=True))
    return padded[(slice(None), slice(None), *slices)]
