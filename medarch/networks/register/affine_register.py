"""Affine registration in one look."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import NetworkPlan
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.transform_matrix import LinearTransform, parameter_count, transform_matrix
from medarch.networks.register.leaky_convolution import LeakyConvolution
from medarch.networks.register.registration_network import RegistrationNetwork
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.networks.register.topology import topology

WIDTHS = (16, 32, 64, 64, 64)
CELLS = 3
"""Along each axis: where in the image something was seen is told to that precision."""


class AffineRegister(RegistrationNetwork):
    """Strided convolutions over both images, and the numbers of a rigid, similarity or affine transform.

    Sources: Jaderberg et al. 2015, arXiv:1506.02025 (spatial transformer); de Vos et al. 2019, arXiv:1809.06130
    (affine registration network). Starts at the identity. Translations are learned in shares of the image, so that
    one number means the same along every axis and at every size.

    Args:
        plan: topology; see :func:`affine_topology`.
        kind: of transform.
        hidden: width of the layer before the numbers.
        spacing: of the voxels along each axis, in any unit: without it rotations are rotations of voxels.
        bidirectional: give the inverse, too, in training.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        kind: LinearTransform = "affine",
        hidden: int = 128,
        spacing: tuple[float, ...] | None = None,
        bidirectional: bool = True,
    ) -> None:
        super().__init__(plan, divisor=(1,) * plan.dim)
        self.kind = kind
        self.spacing = tuple(spacing or (1.0,) * plan.dim)
        self.bidirectional = bidirectional
        widths = (plan.in_channels, *plan.features)
        self.encoder = nn.Sequential(
            *(
                LeakyConvolution(widths[stage], widths[stage + 1], kernel, stride)
                for stage, (kernel, stride) in enumerate(zip(plan.kernels, plan.strides, strict=True))
            )
        )
        self.hidden = nn.Sequential(nn.Linear(widths[-1] * CELLS**plan.dim, hidden), nn.LeakyReLU(0.2))
        self.numbers = nn.Linear(hidden, parameter_count(kind, plan.dim))
        nn.init.zeros_(self.numbers.weight)
        nn.init.zeros_(self.numbers.bias)

    def parameters_of(self, x: Tensor) -> Tensor:
        """Return the numbers of the transform, ``(B, P)``; see :func:`transform_matrix`."""
        pool = F.adaptive_avg_pool3d if self.dim == 3 else F.adaptive_avg_pool2d
        seen = pool(self.encoder(x), CELLS).flatten(1)
        numbers: Tensor = self.numbers(self.hidden(seen))
        numbers = numbers.float() if numbers.element_size() < 4 else numbers
        extent = numbers.new_tensor([length * step for length, step in zip(x.shape[2:], self.spacing, strict=True)])
        return torch.cat([numbers[:, : -self.dim], numbers[:, -self.dim :] * extent], dim=1)

    def register(self, x: Tensor) -> RegistrationOutput:
        """Return the fields; see the class."""
        size = tuple(x.shape[2:])
        matrix = transform_matrix(self.parameters_of(x), self.kind, size=size, spacing=self.spacing)
        there = affine_displacement(matrix, size)
        back = None
        if self.training and self.bidirectional:
            linear = torch.linalg.inv(matrix[:, :, : self.dim])
            shift = -linear @ matrix[:, :, self.dim :]
            back = affine_displacement(torch.cat([linear, shift], 2), size)
        return RegistrationOutput(there, there, back)


def affine_topology(plan: NetworkPlan) -> NetworkPlan:
    """Five stages that halve every axis; of a planner's those that stride."""
    return topology(plan, widths=WIDTHS)
