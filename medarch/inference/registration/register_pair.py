"""A pair of images in, the transform between them out."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from medarch.core.spatial_transform import AffineTransform, DisplacementField, SpatialTransform, TransformChain
from medarch.inference.registration.align_pair import align_pair
from medarch.inference.registration.deformation import Deformation
from medarch.inference.registration.optimise_velocity import Progress, optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.settings import RegistrationSettings, Similarity
from medarch.networks.motion.jacobian_determinant import jacobian_determinant


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
    pair = align_pair(fixed, moving, settings or RegistrationSettings(), start=start, device=torch.device(device))
    chosen = pair.settings
    index = torch.linalg.solve(pair.moving.matrix, pair.world @ pair.fixed.matrix)
    affine = AffineTransform.from_voxels(index.numpy(), fixed.geometry, moving.geometry)
    linear: tuple[SpatialTransform, ...] = () if chosen.linear == "none" else (affine,)
    if not chosen.deformable:
        chain = TransformChain(linear)
        spent = time.monotonic() - began
        return PairRegistration(chain, chain.inverse(), None, 0, spent, chosen.similarity, pair.because)
    found = optimise_velocity(
        pair.fixed,
        pair.moving,
        pair.world,
        chosen,
        start=pair.start,
        deadline=None if chosen.seconds is None else began + chosen.seconds,
        progress=progress,
    )
    return _result(found, linear, fixed, began, chosen.similarity, pair.because)


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
        for field in (found.displacement, found.inverse())
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
