"""What a change to a plan must leave true."""

from __future__ import annotations

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Estimate, Plan
from medarch.networks.build_network import build_network
from medarch.networks.without_weights import without_weights
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.multiple_of import multiple_of

NOT_TIMED = "changed after the search, not timed"


def check_changes(before: Plan, after: Plan) -> Plan:
    """Return the changed plan with new estimates where cost has changed.

    Raises:
        PlanError: a network cannot be built, or a patch does not fit its strides.
    """
    configurations = {}
    for name, configuration in after.configurations.items():
        found = configuration
        if _cost(found) != _cost(before.configurations[name]):
            _require_fit(found, any_size=after.task in ("classification", "registration"))
            if found.estimate is not None and after.device is not None:
                found = found.model_copy(update={"estimate": _estimate(after, found, after.device.kind)})
        configurations[name] = found
    return after.model_copy(update={"configurations": configurations})


def _cost(configuration: Configuration) -> tuple[object, ...]:
    training = configuration.training
    return (
        configuration.network,
        configuration.patch_voxels,
        configuration.batch_size,
        training.precision,
        training.optimizer,
        training.weight_average_decay,
        training.checkpoint,
        training.offload_activations,
    )


def _require_fit(configuration: Configuration, *, any_size: bool) -> None:
    """Refuse a network that cannot be built, or a patch its decoder could not rebuild; other tasks take any size."""
    with without_weights():
        build_network(configuration.network)
    divisor = configuration.network.divisor
    fitting = multiple_of(configuration.patch_voxels, divisor)
    if not any_size and fitting != tuple(configuration.patch_voxels):
        raise PlanError(
            f"the patch of {configuration.name} does not fit its network",
            expected=f"sides that are multiples of {'×'.join(map(str, divisor))}",
            found="×".join(map(str, configuration.patch_voxels)),
            fix=f"use patch_voxels: [{', '.join(map(str, fitting))}], or other network.strides",
        )


def _estimate(plan: Plan, configuration: Configuration, device: str) -> Estimate:
    return predict_memory(plan, configuration, device=device).estimate(
        seconds=None,
        timing=NOT_TIMED,
        passes=configuration.training.accumulate,
    )
