"""Put another network of the registry into a finished plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medarch.core.plan import Configuration, Plan, Reason
from medarch.networks.build_network import fit_topology
from medarch.planning.multiple_of import multiple_of


def choose_network(plan: Plan, asked: Mapping[str, Any]) -> Plan:
    """Return the plan with ``asked`` (architecture, options) in every configuration, and a reason for each.

    The planner's pooling is given to the architecture, which may have other widths, depths or fewer stages; the patch
    is made larger where its sides are no multiples of the network's strides.

    Raises:
        PlanError: the architecture is unknown, is not made for 2D or 3D, or has no such option.
    """
    if not asked:
        return plan
    configurations, reasons = {}, []
    for name, configuration in plan.configurations.items():
        network = fit_topology(configuration.network.model_copy(update=dict(asked)))
        patch = multiple_of(configuration.patch_voxels, network.divisor)
        configurations[name] = configuration.model_copy(update={"network": network, "patch_voxels": patch})
        reasons += _reasons(name, configuration, configurations[name])
    return plan.model_copy(update={"configurations": configurations, "reasons": (*plan.reasons, *reasons)})


def _reasons(name: str, before: Configuration, after: Configuration) -> list[Reason]:
    told = [
        Reason(
            decision=f"{name}.network",
            value="-".join(map(str, after.network.features)),
            because=f"what {after.network.architecture} makes of the planned stages",
        )
    ]
    if before.patch_voxels != after.patch_voxels:
        told.append(
            Reason(
                decision=f"{name}.patch_voxels",
                value="×".join(map(str, after.patch_voxels)),
                because=f"instead of {'×'.join(map(str, before.patch_voxels))}: multiples of the network's strides, "
                + "×".join(map(str, after.network.divisor)),
            )
        )
    return told
