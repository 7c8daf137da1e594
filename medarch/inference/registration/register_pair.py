"""A pair of images in, the transform between them out."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medarch.core.errors import GeometryError
from medarch.core.spatial_transform import AffineTransform, DisplacementField, SpatialTransform, TransformChain
from medarch.inference.registration.choose_similarity import choose_similarity
from medarch.inference.registration.grid_image import GridImage, voxel_map
from medarch.inference.registration.optimise_velocity import Deformation, Progress, optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.prepare_pair import prepare_pair
from medarch.inference.registration.register_affine import centre_of_mass, register_affine, register_coarsely
from medarch.inference.registration.settings import RegistrationSettings, Similarity
from medarch.networks.motion.jacobian_determinant import jacobian_determinant

SMALLEST_OVERLAP = 0.05
"""Share of the fixed image's voxels that must lie in the moving image, before (unless centres are laid onto each
other) and after."""
PROBES = 24
"""Points along each axis that the overlap is counted with."""


@dataclass(frozen=True)
class PairRegistration:
    """Where the points of one image lie in the other."""

    chain: TransformChain
    """Points of the fixed image → points of the moving image: a displacement field on the fixed grid (unless
    ``deformable`` is off), then the affine transform (unless ``linear`` is ``none``)."""
    inverse: TransformChain
    """Points of the moving image → points of the fixed image, with a field of its own."""
    jacobian: np.ndarray | None
    """``(I, J, K)`` float32: the field's change of volume at each voxel of the fixed grid; None without a field."""
    iterations: int
    """Of the velocity field."""
    seconds: float
    """Wall time."""
    similarity: Similarity
    """What the images were compared by."""
    because: str
    """Why that was chosen; empty if it was asked for."""

    @property
    def folds(self) -> int:
        """Voxels whose Jacobian determinant is not positive."""
        return 0 if self.jacobian is None else int((self.jacobian <= 0).sum())


def register_pair(
    fixed: PairImage,
    moving: PairImage,
    settings: RegistrationSettings | None = None,
    *,
    start: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> PairRegistration:
    """Register two images or volumes of any size, spacing and orientation without a trained network.

    An affine transform (L-BFGS on correlation or mutual information, from where the files say and from the centres of
    mass, coarse to fine), then a stationary velocity field in front of it (Adam, three resolutions). The result is
    invertible.

    Args:
        fixed: its grid is that of the result.
        moving: what is moved onto it.
        settings: default :class:`RegistrationSettings`.
        start: displacement of a network, ``(3, I, J, K)`` or in 2D ``(2, I, J)`` in voxels of the fixed grid, to start
            from; mostly with ``linear="none"``.
        device: CPU or GPU.
        progress: called with iterations done and in all.

    Raises:
        GeometryError: the images differ in dimension or channels, or do not overlap.
        VolumeError: an image is empty or holds NaN, or a mask does not fit.
        UsageError: a setting is unknown.
    """
    began = time.monotonic()
    chosen = settings or RegistrationSettings()
    on = torch.device(device)
    images = prepare_pair(fixed, moving, device=on)
    first = None if start is None else torch.from_numpy(np.ascontiguousarray(start, dtype=np.float32))[None].to(on)
    starts = _starts(*images, chosen)
    because = ""
    if chosen.similarity == "auto":
        nearby = starts[0] if chosen.linear == "none" else register_coarsely(*images, "nmi", starts)
        choice = choose_similarity(*images, nearby, displacement=first)
        chosen, because = replace(chosen, similarity=choice.similarity), choice.because
    world = _linear(*images, chosen, starts)
    index = torch.linalg.solve(images[1].matrix, world @ images[0].matrix)
    affine = AffineTransform.from_voxels(index.numpy(), fixed.geometry, moving.geometry)
    linear: tuple[SpatialTransform, ...] = () if chosen.linear == "none" else (affine,)
    if not chosen.deformable:
        chain = TransformChain(linear)
        return PairRegistration(chain, chain.inverse(), None, 0, time.monotonic() - began, chosen.similarity, because)
    found = optimise_velocity(
        *images,
        world,
        chosen,
        start=first,
        deadline=None if chosen.seconds is None else began + chosen.seconds,
        progress=progress,
    )
    return _result(found, linear, fixed, began, chosen.similarity, because)


def _result(
    found: Deformation,
    linear: tuple[SpatialTransform, ...],
    fixed: PairImage,
    began: float,
    similarity: Similarity,
    because: str,
) -> PairRegistration:
    forward, back = (
        DisplacementField.from_voxels(field[0].cpu().numpy(), fixed.geometry)
        for field in (found.displacement, found.inverse)
    )
    jacobian = jacobian_determinant(found.displacement)[0].cpu().numpy().reshape(fixed.geometry.shape)
    return PairRegistration(
        TransformChain((forward, *linear)),
        TransformChain((*TransformChain(linear).inverse().parts, back)),
        jacobian,
        found.iterations,
        time.monotonic() - began,
        similarity,
        because,
    )


def _starts(fixed: GridImage, moving: GridImage, settings: RegistrationSettings) -> list[Tensor]:
    """Where the linear step starts, in millimetres."""
    world = torch.eye(fixed.dim + 1, dtype=torch.float64)
    overlap = _overlap(fixed, moving, world)
    if settings.start != "centres" and overlap < SMALLEST_OVERLAP:
        raise GeometryError(
            "the images do not overlap",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the fixed image inside the moving one, where the files say",
            found=f"{overlap:.1%}",
            fix="lay their centres of mass onto each other (start centres), or correct the origins in the files",
        )
    centred = world.clone()
    centred[: fixed.dim, fixed.dim] = centre_of_mass(moving) - centre_of_mass(fixed)
    if settings.linear == "none":
        return [world]
    return {"auto": [world, centred], "files": [world], "centres": [centred]}[settings.start]


def _linear(fixed: GridImage, moving: GridImage, settings: RegistrationSettings, starts: list[Tensor]) -> Tensor:
    """The affine transform in millimetres."""
    if settings.linear == "none":
        return starts[0]
    found = register_affine(fixed, moving, kind=settings.linear, similarity=settings.linear_similarity, starts=starts)
    left = _overlap(fixed, moving, found)
    if left < SMALLEST_OVERLAP:
        raise GeometryError(
            "no place was found where the images match",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the fixed image inside the moving one",
            found=f"{left:.1%} after the affine step",
            fix="try another similarity, masks, or linear none for images that are aligned already",
        )
    return found


def _overlap(fixed: GridImage, moving: GridImage, world: Tensor) -> float:
    """Share of points of the fixed grid that lie inside the moving grid."""
    matrix = voxel_map(fixed, moving, world)[0].cpu().double()
    lines = [torch.linspace(0, length - 1, min(length, PROBES), dtype=torch.float64) for length in fixed.size]
    points = torch.tensor(list(itertools.product(*lines)), dtype=torch.float64)
    places = points @ matrix[:, : fixed.dim].T + matrix[:, fixed.dim]
    last = torch.tensor(moving.size, dtype=torch.float64) - 1
    return float(((places >= -0.5) & (places <= last + 0.5)).all(1).double().mean())
