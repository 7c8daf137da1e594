"""The registry: from a plan's network section to a torch module."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from torch import nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.unet import UNet

REGISTRY: dict[str, Callable[[NetworkPlan], nn.Module]] = {
    "plain_unet": lambda plan: UNet(plan, residual=False),
    "residual_unet": lambda plan: UNet(plan, residual=True),
}
"""Architecture name → builder. A new network is one entry here."""


def build_network(plan: NetworkPlan) -> nn.Module:
    """Return the untrained network a plan describes.

    Raises:
        PlanError: the architecture is unknown, or its topology tuples differ in length.
    """
    if plan.architecture not in REGISTRY:
        near = difflib.get_close_matches(plan.architecture, REGISTRY, n=1)
        raise PlanError(
            f"unknown architecture {plan.architecture!r}",
            expected=", ".join(sorted(REGISTRY)),
            found=plan.architecture,
            fix=f"did you mean {near[0]!r}?" if near else "choose one of those",
        )
    lengths = {len(plan.features), len(plan.strides), len(plan.kernels), len(plan.blocks)}
    if len(lengths) != 1 or len(plan.decoder_blocks) != len(plan.features) - 1:
        raise PlanError(
            "the topology of the network does not fit together",
            expected="features, strides, kernels and blocks of one length, decoder_blocks one shorter",
            found=f"{len(plan.features)}, {len(plan.strides)}, {len(plan.kernels)}, {len(plan.blocks)}, "
            f"{len(plan.decoder_blocks)}",
            fix="correct network in plan.json",
        )
    return REGISTRY[plan.architecture](plan)
