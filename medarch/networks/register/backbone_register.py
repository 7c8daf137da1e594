"""Any encoder-decoder of the registry as a registration network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network, fit_topology
from medarch.networks.register.diffeomorphic_output import diffeomorphic_output
from medarch.networks.register.field_head import FieldHead
from medarch.networks.register.registration_network import RegistrationNetwork
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.networks.registry import find_architecture

WIDTHS = (16, 32, 64, 64)


class BackboneRegister(RegistrationNetwork):
    """A segmentation network over both images, and a field in place of classes.

    Args:
        plan: topology of the backbone; see :func:`backbone_topology`.
        backbone: name of a segmentation network of the registry.
        backbone_options: of that network.
        width: features that it gives to the field's head.
        diffeomorphic: the field is a velocity, at half the image's resolution.
        squarings: that integrate it.
        bidirectional: give the inverse, too, in training.

    Raises:
        PlanError: the backbone is no segmentation network, or refuses the plan.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        backbone: str = "plain_unet",
        backbone_options: Mapping[str, Any] | None = None,
        width: int = 16,
        diffeomorphic: bool = True,
        squarings: int = 7,
        bidirectional: bool = True,
    ) -> None:
        super().__init__(plan, divisor=plan.divisor)
        self.diffeomorphic = diffeomorphic
        self.squarings = squarings
        self.bidirectional = bidirectional
        self.backbone = build_network(_inner(plan, backbone, backbone_options, width))
        self.head = FieldHead(plan.dim, width)

    def register(self, x: Tensor) -> RegistrationOutput:
        """Return the fields; see the class."""
        field = self.head(self.backbone(x))
        if not self.diffeomorphic:
            return RegistrationOutput(field, field)
        return diffeomorphic_output(field, squarings=self.squarings, inverse=self.training and self.bidirectional)


def backbone_topology(
    plan: NetworkPlan, *, backbone: str = "plain_unet", backbone_options: Mapping[str, Any] | None = None
) -> NetworkPlan:
    """As the backbone wants it; where the plan is open, four stages of a U-Net."""
    if not plan.strides:
        stages = len(WIDTHS)
        changes: dict[str, Any] = {
            "features": WIDTHS,
            "strides": ((1,) * plan.dim, *((2,) * plan.dim,) * (stages - 1)),
            "kernels": ((3,) * plan.dim,) * stages,
            "blocks": (2,) * stages,
            "decoder_blocks": (2,) * (stages - 1),
        }
        plan = plan.model_copy(update=changes)
    fitted = fit_topology(_inner(plan, backbone, backbone_options, plan.dim))
    kept = {"architecture": plan.architecture, "options": plan.options, "heads": plan.dim}
    return fitted.model_copy(update=kept)


def _inner(plan: NetworkPlan, backbone: str, options: Mapping[str, Any] | None, width: int) -> NetworkPlan:
    if find_architecture(backbone).task != "segmentation":
        raise PlanError(
            f"{backbone} gives no map as large as the image",
            expected="a segmentation network",
            found=find_architecture(backbone).task,
            fix="correct network.options.backbone",
        )
    changes = {"architecture": backbone, "options": dict(options or {}), "heads": width, "deep_supervision": False}
    return plan.model_copy(update=changes)
