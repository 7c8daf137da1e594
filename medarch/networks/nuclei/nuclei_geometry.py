"""What windows a network of nuclei takes, before it has weights."""

from __future__ import annotations

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.nuclei.nuclei_network import NucleiNetwork
from medarch.networks.registry import REGISTRY
from medarch.networks.without_weights import without_weights


def nuclei_geometry(plan: NetworkPlan) -> NucleiNetwork:
    """Return the network without memory for its weights.

    Raises:
        PlanError: the plan's network is none of nuclei.
    """
    with without_weights():
        network = build_network(plan)
    if not isinstance(network, NucleiNetwork):
        raise PlanError(
            "the network gives no distances",
            expected=", ".join(name for name, entry in REGISTRY.items() if entry.task == "nuclei"),
            found=plan.architecture,
            fix="correct network.architecture in plan.json",
        )
    return network
