"""The contract of registration networks."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.register.registration_output import RegistrationOutput


class RegistrationNetwork(nn.Module):
    """``(B, 2·C, *grid)``, fixed before moving → displacement ``(B, D, *grid)``, of any size.

    Sides are filled up with zeros at their ends to multiples of :attr:`divisor`, and the field is cropped again, so
    voxels keep their numbers.

    Args:
        plan: for dimensions and channels.
        divisor: what sides inside are multiples of.

    Raises:
        PlanError: ``plan.in_channels`` is odd: not two images.
    """

    def __init__(self, plan: NetworkPlan, *, divisor: Voxels) -> None:
        super().__init__()
        if plan.in_channels % 2:
            raise PlanError(
                "the channels are not those of two images",
                expected="an even number: fixed and moving",
                found=str(plan.in_channels),
                fix="correct network.in_channels in plan.json",
            )
        self.dim = plan.dim
        self.channels = plan.in_channels // 2
        """Of one image."""
        self.divisor = divisor

    def forward(self, x: Tensor) -> Tensor | RegistrationOutput:
        """Return the displacement, in training with what a loss needs beside it; see the class."""
        size = x.shape[2:]
        missing = [-length % factor for length, factor in zip(size, self.divisor, strict=True)]
        if any(missing):
            x = F.pad(x, [side for gap in reversed(missing) for side in (0, gap)])
        found = self.register(x)
        displacement = _cropped(found.displacement, size)
        if not self.training:
            return displacement
        inverse = None if found.inverse is None else _cropped(found.inverse, size)
        return RegistrationOutput(displacement, found.penalised, inverse)

    @abstractmethod
    def register(self, x: Tensor) -> RegistrationOutput:
        """Return the fields of a pair whose sides are multiples of the divisor; the inverse in training alone."""


def _cropped(field: Tensor, size: tuple[int, ...]) -> Tensor:
    for axis, length in enumerate(size):
        field = field.narrow(axis + 2, 0, length)
    return field
