"""Coarse to fine: each level corrects the field of the coarser one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.dimension import Dim
from medarch.networks.encoder import Encoder
from medarch.networks.motion.compose import compose
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.motion.warp import warp
from medarch.networks.register.field_head import FieldHead
from medarch.networks.register.leaky_convolution import SLOPE, LeakyConvolution
from medarch.networks.register.local_matches import local_matches
from medarch.networks.register.registration_network import RegistrationNetwork
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.networks.register.topology import topology

REPEATS = 2
"""Of each level. (Measured: docs/registration_networks.md.)"""
WIDTHS = (16, 32, 32, 32, 32)


class Pyramid(RegistrationNetwork):
    """Features of both images, and from the coarsest level to the finest: warp those of the moving one, correct.

    One encoder sees either image by itself. At each level the moving image's map is warped by the field so far, and a
    few convolutions look at both maps, and at what they knew one level below, to say what is still missing. That is a
    velocity; integrated and composed with the field so far it keeps the whole a diffeomorphism, and so large motions
    are found at little cost. The finest level is that of the first stage, half the image's resolution as a rule.

    Sources: Hu et al. 2019, arXiv:1909.11966 (two streams, warped features); Mok, Chung 2020, arXiv:2006.16148
    (velocities, coarse to fine).

    Args:
        plan: topology; see :func:`pyramid_topology`.
        diffeomorphic: else the levels give displacements.
        squarings: that integrate the velocity of a level.
        bidirectional: give the inverse, too, in training.
        norm: of the encoder and of the levels.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        diffeomorphic: bool = True,
        squarings: int = 5,
        bidirectional: bool = False,
        norm: str = "none",
    ) -> None:
        # Maps of any size are resized to each other: nothing has to be divisible.
        super().__init__(plan, divisor=(1,) * plan.dim)
        self.diffeomorphic = diffeomorphic
        self.squarings = squarings
        self.bidirectional = bidirectional
        self.encoder = _encoder(plan, self.channels, norm)
        self.levels = nn.ModuleList(
            _Level(
                plan.dim,
                plan.features[stage],
                below=plan.features[stage + 1] if stage + 1 < len(plan.features) else 0,
                blocks=plan.blocks[stage] + 1,
                norm=norm,
            )
            for stage in reversed(range(len(plan.features)))
        )

    def register(self, x: Tensor) -> RegistrationOutput:
        """Return the fields; see the class."""
        fixed, moving = self._maps(x)
        both = self.training and self.bidirectional
        context: Tensor | None = None
        there: Tensor | None = None
        back: Tensor | None = None
        for level in self.levels:
            of_fixed, of_moving = fixed.pop(), moving.pop()
            size = of_fixed.shape[2:]
            if there is not None:
                there = resize_field(there, size)
                back = None if back is None else resize_field(back, size)
            assert isinstance(level, _Level)
            given = level.given(of_fixed, context)
            for _ in range(REPEATS):
                warped = of_moving if there is None else warp(of_moving, there, outside="border")
                context, missing = level(given, of_fixed, warped)
                step = self._step(missing)
                if both:
                    undo = self._step(-missing)
                    back = undo if back is None else compose(undo, back)
                there = step if there is None else compose(there, step)
        assert there is not None
        size = x.shape[2:]
        return RegistrationOutput(resize_field(there, size), there, None if back is None else resize_field(back, size))

    def _maps(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Maps of the fixed and of the moving image, finest first, made in one batch."""
        maps = [each.chunk(2) for each in self.encoder(torch.cat(x.chunk(2, dim=1)))]
        return [fixed for fixed, _ in maps], [moving for _, moving in maps]

    def _step(self, missing: Tensor) -> Tensor:
        return integrate_velocity(missing, squarings=self.squarings) if self.diffeomorphic else missing


class _Level(nn.Module):
    """Maps of the fixed and the warped moving image, and the context of the level below → context, missing field.

    The first convolution is that of all these maps and of their matches, in two parts: what stays when the level is
    repeated is convolved once.
    """

    def __init__(self, dim: Dim, width: int, *, below: int, blocks: int, norm: str) -> None:
        super().__init__()
        kernel = (3,) * dim
        given, warped = width + below, width + 2 * dim + 1
        self.of_given = convolve(given, width, kernel, bias=True)
        self.of_warped = convolve(warped, width, kernel)
        for part in (self.of_given, self.of_warped):
            nn.init.normal_(
                part.weight, std=nn.init.calculate_gain("leaky_relu", SLOPE) / sqrt((given + warped) * 3**dim)
            )
        nn.init.zeros_(self.of_given.bias)  # type: ignore[arg-type]
        self.first = nn.Sequential(normalisation(norm, width, dim), nn.LeakyReLU(SLOPE))
        self.blocks = nn.Sequential(*(LeakyConvolution(width, width, kernel, norm=norm) for _ in range(blocks - 1)))
        self.head = FieldHead(dim, width)

    def given(self, fixed: Tensor, context: Tensor | None) -> Tensor:
        """Return features ``(B, width, *grid)`` of what does not change."""
        if context is not None:
            fixed = torch.cat([fixed, F.interpolate(context, fixed.shape[2:], mode="nearest")], dim=1)
        features: Tensor = self.of_given(fixed)
        return features

    def forward(self, given: Tensor, fixed: Tensor, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``(B, width, *grid)`` and the missing field ``(B, D, *grid)``."""
        matches = local_matches(fixed, warped)
        seen = torch.cat([warped.to(given.dtype), matches.to(given.dtype)], dim=1)
        context = self.blocks(self.first(given + self.of_warped(seen)))
        return context, self.head(context)


def _encoder(plan: NetworkPlan, channels: int, norm: str) -> Encoder:
    widths: Sequence[int] = (channels, *plan.features)
    stages = []
    for stage, (kernel, stride) in enumerate(zip(plan.kernels, plan.strides, strict=True)):
        width = widths[stage + 1]
        more = (LeakyConvolution(width, width, kernel, norm=norm) for _ in range(plan.blocks[stage]))
        stages.append(nn.Sequential(LeakyConvolution(widths[stage], width, kernel, stride, norm=norm), *more))
    return Encoder(stages, channels=plan.features, strides=plan.strides)


def pyramid_topology(plan: NetworkPlan) -> NetworkPlan:
    """Five levels from half the resolution to a thirty-second; of a planner's stages those that stride."""
    return topology(plan, widths=WIDTHS)
