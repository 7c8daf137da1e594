"""What comes before the deformation: the images made ready, what to compare them by, the linear step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medarch.core.errors import GeometryError
from medarch.inference.registration.affine_levels import AffineLevels
from medarch.inference.registration.choose_similarity import choose_similarity
from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.overlap import overlap
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.prepare_pair import prepare_pair
from medarch.inference.registration.register_affine import centre_of_mass, register_affine, register_coarsely
from medarch.inference.registration.settings import RegistrationSettings

SMALLEST_OVERLAP = 0.05
"""Share of the fixed image's voxels that must lie in the moving image, before (unless centres are laid onto each
other) and after."""


@dataclass(frozen=True)
class AlignedPair:
    """A pair at the start of the deformation."""

    fixed: GridImage
    moving: GridImage
    world: Tensor
    """``(D + 1, D + 1)`` float64: millimetres of the fixed image → the moving image's, by the linear step."""
    settings: RegistrationSettings
    """With the similarity that was decided in place of ``auto``."""
    because: str
    """Why that was chosen; empty if it was asked for."""
    start: Tensor | None
    """``(1, D, *fixed grid)`` float32 in voxels: the displacement to start from."""
    overlap: tuple[float, float]
    """Share of the fixed image inside the moving one: where the files place them, and after the linear step."""


def align_pair(
    fixed: PairImage,
    moving: PairImage,
    settings: RegistrationSettings,
    *,
    start: np.ndarray | None,
    device: torch.device,
) -> AlignedPair:
    """Do all of :func:`register_pair` but the deformation; arguments and errors are the same."""
    first, second = prepare_pair(fixed, moving, device=device)
    displacement = None
    if start is not None:
        displacement = torch.from_numpy(np.ascontiguousarray(start, dtype=np.float32))[None].to(device)
    placed = overlap(first, second, torch.eye(first.dim + 1, dtype=torch.float64))
    starts = _starts(first, second, settings, placed)
    levels = AffineLevels(first, second)
    because = ""
    if settings.similarity == "auto":
        nearby = starts[0] if settings.linear == "none" else register_coarsely(levels, "nmi", starts)
        choice = choose_similarity(levels, nearby, displacement=displacement)
        settings, because = replace(settings, similarity=choice.similarity), choice.because
    world, left = _linear(levels, settings, starts, placed)
    return AlignedPair(first, second, world, settings, because, displacement, (placed, left))


def _starts(fixed: GridImage, moving: GridImage, settings: RegistrationSettings, placed: float) -> list[Tensor]:
    """Where the linear step starts, in millimetres."""
    if settings.start != "centres" and placed < SMALLEST_OVERLAP:
        raise GeometryError(
            "the images do not overlap",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the fixed image inside the moving one, where the files say",
            found=f"{placed:.1%}",
            fix="lay their centres of mass onto each other (start centres), or correct the origins in the files",
        )
    world = torch.eye(fixed.dim + 1, dtype=torch.float64)
    if settings.linear == "none":
        return [world]
    centred = world.clone()
    centred[: fixed.dim, fixed.dim] = centre_of_mass(moving) - centre_of_mass(fixed)
    return {"auto": [world, centred], "files": [world], "centres": [centred]}[settings.start]


def _linear(
    levels: AffineLevels, settings: RegistrationSettings, starts: list[Tensor], placed: float
) -> tuple[Tensor, float]:
    """The affine transform in millimetres, and what overlaps after it."""
    if settings.linear == "none":
        return starts[0], placed
    found = register_affine(levels, kind=settings.linear, similarity=settings.linear_similarity, starts=starts)
    left = overlap(levels.fixed, levels.moving, found)
    if left < SMALLEST_OVERLAP:
        raise GeometryError(
            "no place was found where the images match",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the fixed image inside the moving one",
            found=f"{left:.1%} after the affine step",
            fix="try another similarity, masks, or linear none for images that are aligned already",
        )
    return found, left
