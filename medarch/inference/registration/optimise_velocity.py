"""A stationary velocity field fitted to one pair, coarse to fine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from medarch.inference.registration.coarsen import coarsen, spacing_of_voxels
from medarch.inference.registration.deformation import Deformation
from medarch.inference.registration.finish_velocity import finish_velocity
from medarch.inference.registration.grid_image import GridImage, voxel_map
from medarch.inference.registration.settings import RegistrationSettings
from medarch.inference.registration.similarity import similarity_loss
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.compose import compose
from medarch.networks.motion.enough_squarings import enough_squarings
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.motion.warp import warp
from medarch.tasks.registration.diffusion import diffusion

FACTORS = (4, 2, 1)
"""Voxel edges of the levels, in those of the finest."""
SQUARINGS = 6
LARGEST_STEP = 0.1
"""Of the first step in voxels, and squarings at most, while optimising: the error of 0.01 voxel is below that of linear
interpolation."""
GAIN = 1e-4
"""A field that improves the loss by less is noise: the one before it is kept."""
CAUTION = 0.1
"""Adam's epsilon as a share of the gradient's root mean square: where nothing is to gain, little moves."""
WARM_UP = 5
"""Iterations until the full rate when there is a start: Adam's first steps have the full rate wherever they lead. From
nothing that helps out of local minima (0.5 % DSC on tuning pairs), from a good place it leads away."""

Progress = Callable[[int, int], None]


def optimise_velocity(
    fixed: GridImage,
    moving: GridImage,
    world: Tensor,
    settings: RegistrationSettings,
    *,
    start: Tensor | None = None,
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Deformation:
    """Fit exp(v) so that the moving image, sampled at ``world`` of exp(v)(x), looks like the fixed one.

    The field has half of the image's resolution. Adam on the velocity; the best field of each level is kept, and the
    next level starts from it. A field that folds somewhere, or folds after the start, is smoothed until it does not.

    Args:
        fixed: image whose grid the field lies on.
        moving: image that is sampled, on any grid.
        world: ``(D + 1, D + 1)`` float64: millimetres of the fixed image → the moving image's, after the field.
        settings: of the optimisation.
        start: displacement φ₀, ``(1, D, *fixed grid)`` in voxels, of a network for instance; the result is φ₀∘exp(v).
        deadline: time (of :func:`time.monotonic`) at which to stop and return what there is.
        progress: called with iterations done and iterations in all.
    """
    finest_mm = spacing_of_voxels(fixed, settings.voxels)
    levels = list(zip(FACTORS, settings.iterations, strict=True))
    total, done, ran = sum(settings.iterations), 0, 0
    costs = [iterations / factor**fixed.dim for factor, iterations in levels]
    began = time.monotonic()
    velocity: Tensor | None = None
    for number, (factor, iterations) in enumerate(levels):
        level = _Level(coarsen(fixed, factor * finest_mm), coarsen(moving, factor * finest_mm), world, settings, start)
        velocity = level.zeros() if velocity is None else resize_field(velocity, level.field_size)
        # A level may take the time that its share of the work is worth.
        share = sum(costs[: number + 1]) / max(sum(costs), 1e-9)
        until = None if deadline is None else began + (deadline - began) * share

        def tell(step: int, before: int = done) -> None:
            if progress is not None:
                progress(before + step, total)

        velocity, steps = _descend(level, velocity, iterations, settings.rate, until, tell)
        done += iterations
        ran += steps
        tell(0, done)
    if velocity is None:
        velocity = fixed.values.new_zeros(1, fixed.dim, *fixed.size)
    return replace(finish_velocity(velocity, fixed.size, start=start), iterations=ran)


class _Level:
    """The loss of a velocity at one resolution."""

    def __init__(
        self, fixed: GridImage, moving: GridImage, world: Tensor, settings: RegistrationSettings, start: Tensor | None
    ) -> None:
        self.fixed = fixed
        self.moving = moving
        self.field_size = tuple(max(min(length, 4), (length + 1) // 2) for length in fixed.size)
        self.field_spacing_mm = tuple(
            edge * (length - 1) / max(1, half - 1)
            for edge, length, half in zip(fixed.spacing_mm, fixed.size, self.field_size, strict=True)
        )
        matrix = voxel_map(fixed, moving, world)
        self.linear = matrix[0, :, : fixed.dim]
        self.base = affine_displacement(matrix, fixed.size)
        self.start = None if start is None else resize_field(start, fixed.size)
        self.settings = settings

    def zeros(self) -> Tensor:
        return self.fixed.values.new_zeros(1, self.fixed.dim, *self.field_size)

    def compare_from(self, velocity: Tensor) -> None:
        """Compare from now on what lies inside both images and masks after this velocity."""
        with torch.no_grad():
            inside = torch.ones_like(self.moving.values[:, :1]) if self.moving.mask is None else self.moving.mask
            counted = warp(inside, self._displacement(velocity))
            if self.fixed.mask is not None:
                counted *= self.fixed.mask
        fixed = replace(self.fixed, mask=None if bool((counted == 1).all()) else counted)
        self.similarity = similarity_loss(self.settings.similarity, fixed, window=self.settings.window)

    def loss(self, velocity: Tensor) -> Tensor:
        warped = warp(self.moving.values, self._displacement(velocity), outside="border")
        smooth = diffusion(velocity, spacing_mm=self.field_spacing_mm)
        return self.similarity(warped) + self.settings.smoothness * smooth

    def _displacement(self, velocity: Tensor) -> Tensor:
        """Voxel of the fixed grid → how far on the moving grid its place is."""
        squarings = min(SQUARINGS, enough_squarings(velocity, largest_step=LARGEST_STEP))
        field = resize_field(integrate_velocity(velocity, squarings=squarings), self.fixed.size)
        if self.start is not None:
            field = compose(self.start, field)
        return self.base + (self.linear @ field.flatten(2)).view_as(field)


def _descend(
    level: _Level,
    velocity: Tensor,
    iterations: int,
    rate: float,
    until: float | None,
    tell: Callable[[int], None],
) -> tuple[Tensor, int]:
    """The best velocity of a few steps of Adam, and how many there were."""
    level.compare_from(velocity)
    best, best_loss = velocity, float("inf")
    current = velocity.clone().requires_grad_()
    optimiser = torch.optim.Adam([current], lr=rate)
    for step in range(iterations):
        if until is not None and time.monotonic() > until:
            return best, step
        optimiser.zero_grad()
        loss = level.loss(current)
        value = float(loss.detach())
        if value < best_loss - GAIN * (step > 0):
            best, best_loss = current.detach().clone(), value
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0 and current.grad is not None:
            optimiser.param_groups[0]["eps"] = CAUTION * float(current.grad.square().mean().sqrt()) + 1e-12
        if level.start is not None:
            optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / WARM_UP)
        optimiser.step()
        tell(step + 1)
    return best, iterations
