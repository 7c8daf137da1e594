"""Check that the topology of a U-Net fits together."""

from __future__ import annotations

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan


def require_topology(plan: NetworkPlan) -> None:
    """Refuse a plan whose tuples do not describe one U-Net.

    Raises:
        PlanError: features, strides, kernels and blocks differ in length, or decoder_blocks is not one shorter.
    """
    lengths = {len(plan.features), len(plan.strides), len(plan.kernels), len(plan.blocks)}
    if len(lengths) != 1 or len(plan.decoder_blocks) != len(plan.features) - 1:
        raise PlanError(
            "the topology of the network does not fit together",
            expected="features, strides, kernels and blocks of one length, decoder_blocks one shorter",
            found=f"{len(plan.features)}, {len(plan.strides)}, {len(plan.kernels)}, {len(plan.blocks)}, "
            f"{len(plan.decoder_blocks)}",
            fix="correct network in plan.json",
        )
