"""Whether two images are of one kind, told from the images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medarch.inference.registration.affine_levels import FINE_VOXELS, AffineLevels
from medarch.inference.registration.coarsen import coarsen, spacing_of_voxels
from medarch.inference.registration.grid_image import GridImage, voxel_map
from medarch.inference.registration.settings import Similarity
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.compose import compose
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.motion.warp import warp

ONE_KIND = 0.45
"""Correlation from which on two images are taken for one kind: docs/registration.md has the evidence."""
WHOLE = 0.95
"""Share of a coarse voxel that has to be tissue: its edge correlates with an edge, whatever the tissue does."""
FEWEST = 30
"""Voxels that a correlation is believed of."""


@dataclass(frozen=True)
class SimilarityChoice:
    """What a pair is compared by, and why."""

    similarity: Similarity
    because: str


def choose_similarity(levels: AffineLevels, world: Tensor, *, displacement: Tensor | None = None) -> SimilarityChoice:
    """Choose local correlation for images of one kind and MIND descriptors for any others.

    Images of one kind correlate once they lie on each other. That must have come of something that knows no kinds,
    such as mutual information: correlation would look for a wrong place where images of two kinds correlate. Black
    voxels are left out: background correlates, whatever the tissue does.

    Args:
        levels: images from 0 to 1.
        world: ``(D + 1, D + 1)`` float64, millimetres of the fixed image → of the moving one.
        displacement: ``(1, D, *fixed grid)`` in voxels, in front of it.
    """
    first, second = levels.fine
    found = affine_displacement(voxel_map(first, second, world), first.size)
    if displacement is not None:
        found = compose(found, resize_field(displacement, first.size))
    warped = warp(second.values, found)
    spacing = spacing_of_voxels(levels.fixed, FINE_VOXELS)
    seen = (_tissue(levels.fixed, spacing) > WHOLE) & (warp(_tissue(levels.moving, spacing), found) > WHOLE)
    if int(seen.sum()) < FEWEST:
        return SimilarityChoice("mind", "the images have too little in common to tell their kinds")
    each = [
        torch.corrcoef(torch.stack([one[seen[:, 0]], other[seen[:, 0]]]).double())[0, 1]
        for one, other in zip(first.values.unbind(1), warped.unbind(1), strict=True)
    ]
    likeness = float(torch.stack(each).mean())
    because = f"laid onto each other, their tissue correlates by {likeness:.2f} (one kind: from {ONE_KIND})"
    if likeness >= ONE_KIND:
        return SimilarityChoice("lncc", f"images of one kind: {because}")
    return SimilarityChoice("mind", f"images of two kinds: {because}")


def _tissue(image: GridImage, spacing_mm: float) -> Tensor:
    """``(1, 1, *coarser grid)``: the share of each voxel that is not black."""
    bright = (image.values > 0).all(1, keepdim=True).float()
    shown = bright if image.mask is None else image.mask * bright
    return coarsen(replace(image, values=shown, mask=None), spacing_mm).values
