"""VoxelMorph: one U-Net over both images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import NetworkPlan
from medarch.networks.register.diffeomorphic_output import diffeomorphic_output
from medarch.networks.register.field_head import FieldHead
from medarch.networks.register.leaky_convolution import LeakyConvolution
from medarch.networks.register.registration_network import RegistrationNetwork
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.networks.register.topology import topology

WIDTHS = (16, 32, 32, 32)


class VoxelMorph(RegistrationNetwork):
    """Strided convolutions down, nearest neighbours up, skips, a few convolutions at full resolution, a field.

    Sources: Balakrishnan et al. 2019, arXiv:1809.05231 (displacement); Dalca et al. 2019, arXiv:1903.03545 (velocity
    at half the resolution, scaling and squaring, both directions), without its sampling of velocities, as its authors
    train it today. Widths of the stages are ``plan.features``, of the way up the last of them.

    Args:
        plan: topology; see :func:`voxelmorph_topology`.
        last: widths of the convolutions at full resolution.
        diffeomorphic: the network gives a velocity, at half the image's resolution.
        squarings: that integrate it.
        bidirectional: give the inverse, too, in training.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        last: tuple[int, ...] = (32, 16, 16),
        diffeomorphic: bool = False,
        squarings: int = 7,
        bidirectional: bool = True,
    ) -> None:
        super().__init__(plan, divisor=plan.divisor)
        self.diffeomorphic = diffeomorphic
        self.squarings = squarings
        self.bidirectional = bidirectional
        widths, deep = (plan.in_channels, *plan.features), plan.features[-1]
        self.strides = plan.strides
        self.encoder = nn.ModuleList(
            LeakyConvolution(widths[stage], widths[stage + 1], kernel, stride)
            for stage, (kernel, stride) in enumerate(zip(plan.kernels, plan.strides, strict=True))
        )
        ups = range(len(plan.features) - 1, -1, -1)
        self.decoder = nn.ModuleList(
            LeakyConvolution(deep if stage == ups[0] else deep + widths[stage + 1], deep, plan.kernels[stage])
            for stage in ups
        )
        final = (deep + plan.in_channels, *last)
        self.last = nn.Sequential(
            *(LeakyConvolution(final[index], final[index + 1], (3,) * plan.dim) for index in range(len(last)))
        )
        self.head = FieldHead(plan.dim, final[-1])

    def register(self, x: Tensor) -> RegistrationOutput:
        """Return the fields; see the class."""
        maps = [x]
        for encode in self.encoder:
            maps.append(encode(maps[-1]))
        x = maps.pop()
        for decode, stride in zip(self.decoder, reversed(self.strides), strict=True):
            x = F.interpolate(decode(x), scale_factor=tuple(map(float, stride)), mode="nearest")
            x = torch.cat([x, maps.pop()], dim=1)
        field = self.head(self.last(x))
        if not self.diffeomorphic:
            return RegistrationOutput(field, field)
        return diffeomorphic_output(field, squarings=self.squarings, inverse=self.training and self.bidirectional)


def voxelmorph_topology(plan: NetworkPlan) -> NetworkPlan:
    """The paper's four stages, halving every axis; of a planner's, the strides are the first four that stride."""
    return topology(plan, widths=WIDTHS)
