"""Normalised mutual information as a loss."""

from __future__ import annotations

from torch import Tensor

from medarch.tasks.registration.mutual_information import mutual_information


def nmi(fixed: Tensor, moving: Tensor, *, bins: int = 32, mask: Tensor | None = None) -> Tensor:
    """Two minus the mean normalised mutual information: 0 for images that determine each other, 1 for unrelated ones.

    Source: Studholme et al. 1999, "An overlap invariant entropy measure of 3D medical image alignment".

    Args:
        fixed: ``(B, C, *grid)``, of any modality.
        moving: same shape, already warped.
        bins: of each image's histogram.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1.
    """
    return 2 - mutual_information(fixed, moving, bins=bins, mask=mask, normalised=True).mean()
