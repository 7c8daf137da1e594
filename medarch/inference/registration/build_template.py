"""The mean image of a group, in the mean shape of the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medarch.core.errors import UsageError
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.inference.registration.affine_levels import AffineLevels
from medarch.inference.registration.grid_image import GridImage, voxel_map
from medarch.inference.registration.optimise_velocity import optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.prepare_pair import prepare_pair
from medarch.inference.registration.register_affine import centre_of_mass, register_affine
from medarch.inference.registration.settings import RegistrationSettings
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.compose import compose
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.motion.warp import warp

ROUNDS = 4
"""The first is affine, the others bend."""


@dataclass(frozen=True)
class Template:
    """A mean image and its way to every image of the group."""

    array: np.ndarray
    """``(C, I, J, K)`` float32, intensities from 0 to 1, on the grid of the first image."""
    chains: tuple[TransformChain, ...]
    """Points of the template → points of each image."""
    drift_mm: tuple[float, ...]
    """How far the mean shape moved in each round, on average: it should fall."""


@dataclass(frozen=True)
class _Registered:
    """Template → image: a velocity on the template's grid, then millimetres to millimetres."""

    velocity: Tensor
    world: Tensor


def build_template(
    images: Sequence[PairImage],
    *,
    rounds: int = ROUNDS,
    settings: RegistrationSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Template:
    """Average images that have been registered to their average, round by round, without preferring any of them.

    Each round registers every image to the template, averages the images, and takes the mean affine transform (of the
    matrices' logarithms) and the mean velocity out of the result, so that the template keeps the mean pose, size and
    shape of the group. Source: Avants et al. 2010, doi:10.1016/j.neuroimage.2009.09.062, with the mean of
    velocities in place of that of displacements.

    Args:
        images: two or more, 2D or 3D; the first one's grid is the template's, nothing else of it counts.
        rounds: 1 is an affine template.
        settings: of the registrations.
        device: CPU or GPU.
        progress: called with registrations done and in all.

    Raises:
        UsageError: fewer than two images or one round.
        GeometryError: images differ in dimension or channels.
        VolumeError: an image is empty or holds NaN.
    """
    if len(images) < 2 or rounds < 1:
        raise UsageError(
            "no template of this", expected="two images and one round, or more", found=f"{len(images)} images"
        )
    chosen = settings or RegistrationSettings()
    if chosen.similarity == "auto":
        raise UsageError(
            "a template compares all its members alike",
            expected="lncc for images of one kind, mind or nmi for others",
            found="similarity auto",
            fix="name one",
        )
    on = torch.device(device)
    members = [prepare_pair(images[0], image, device=on)[1] for image in images]
    template, starts = _first(members)
    drifts: list[float] = []
    fields: list[Tensor] = []
    worlds: list[Tensor] = []
    for number in range(rounds):
        deformable = number > 0
        found = []
        for member, start in zip(members, starts, strict=True):
            found.append(_register(template, member, start, chosen, deformable=deformable))
            if progress is not None:
                progress(number * len(members) + len(found), rounds * len(members))
        with torch.no_grad():
            mean = _mean_shape(template, found)
            fields = [compose(_displacement(template, each.velocity), mean) for each in found]
        worlds = starts = [each.world for each in found]
        template = replace(template, values=_average(template, members, fields, worlds))
        spacing = mean.new_tensor(template.spacing_mm).view(1, -1, *[1] * template.dim)
        drifts.append(float(torch.linalg.vector_norm(mean * spacing, dim=1).mean()))
    chains = tuple(
        _chain(template, member, field, world, images[0], image)
        for member, field, world, image in zip(members, fields, worlds, images, strict=True)
    )
    array = template.values[0].cpu().numpy()
    return Template(array.reshape(len(array), *images[0].geometry.shape), chains, tuple(drifts))


def _first(members: Sequence[GridImage]) -> tuple[GridImage, list[Tensor]]:
    """Everybody's centre of mass on the grid's middle."""
    grid = replace(members[0], mask=None)
    middle = torch.tensor([*[(length - 1) / 2 for length in grid.size], 1.0], dtype=torch.float64)
    place = (grid.matrix @ middle)[: grid.dim]
    worlds = []
    for member in members:
        world = torch.eye(grid.dim + 1, dtype=torch.float64)
        world[: grid.dim, grid.dim] = centre_of_mass(member) - place
        worlds.append(world)
    still = grid.values.new_zeros(1, grid.dim, *grid.size)
    return replace(grid, values=_average(grid, members, [still] * len(members), worlds)), worlds


def _register(
    template: GridImage, member: GridImage, start: Tensor, settings: RegistrationSettings, *, deformable: bool
) -> _Registered:
    world = register_affine(
        AffineLevels(template, member),
        kind="affine" if settings.linear == "none" else settings.linear,
        similarity=settings.linear_similarity,
        starts=[start],
    )
    if not deformable:
        return _Registered(template.values.new_zeros(1, template.dim, *template.size), world)
    return _Registered(optimise_velocity(template, member, world, settings).velocity, world)


def _displacement(template: GridImage, velocity: Tensor) -> Tensor:
    return integrate_velocity(resize_field(velocity, template.size))


def _mean_shape(template: GridImage, found: Sequence[_Registered]) -> Tensor:
    """Displacement of ψ = exp(-mean v) ∘ (mean linear part)⁻¹ about the middle: what takes the mean out."""
    velocity = torch.stack([resize_field(each.velocity, template.size) for each in found]).mean(0)
    index = torch.linalg.inv(template.matrix)
    dim = template.dim
    middle = (torch.tensor(template.size, dtype=torch.float64) - 1) / 2
    linear = _mean_linear([(index @ each.world @ template.matrix)[:dim, :dim] for each in found])
    back = torch.linalg.inv(linear)
    matrix = torch.cat([back, (middle - back @ middle)[:, None]], 1)[None].to(velocity)
    return compose(integrate_velocity(-velocity), affine_displacement(matrix, template.size))


def _mean_linear(matrices: Sequence[Tensor]) -> Tensor:
    from scipy.linalg import expm, logm

    mean = np.mean([np.real(logm(matrix.numpy())) for matrix in matrices], axis=0)
    return torch.from_numpy(expm(mean))


def _average(
    template: GridImage, members: Sequence[GridImage], fields: Sequence[Tensor], worlds: Sequence[Tensor]
) -> Tensor:
    """Mean of the members, warped; where a member has no voxel, of the others."""
    total = torch.zeros_like(template.values)
    count = torch.zeros_like(template.values[:, :1])
    for member, field, world in zip(members, fields, worlds, strict=True):
        matrix = voxel_map(template, member, world)
        moved = (matrix[0, :, : template.dim] @ field.flatten(2)).view_as(field)
        displacement = affine_displacement(matrix, template.size) + moved
        total += warp(member.values, displacement)
        count += warp(torch.ones_like(member.values[:, :1]), displacement)
    return total / count.clamp_min(1e-3)


def _chain(
    template: GridImage, member: GridImage, field: Tensor, world: Tensor, grid: PairImage, image: PairImage
) -> TransformChain:
    index = torch.linalg.solve(member.matrix, world @ template.matrix)
    affine = AffineTransform.from_voxels(index.numpy(), grid.geometry, image.geometry)
    return TransformChain((DisplacementField.from_voxels(field[0].cpu().numpy(), grid.geometry), affine))
