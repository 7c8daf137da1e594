"""Levers for what was asked for: a plan keeps its memory whatever its changes say."""

from __future__ import annotations

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Plan, Reason
from medarch.networks.levers.pull import pull
from medarch.planning.check_changes import NOT_TIMED
from medarch.planning.lever_ladder import lever_ladder, needed
from medarch.planning.search_patch import PatchSearch
from medarch.planning.told_levers import told_levers


def fit_into_memory(before: Plan, after: Plan, memory_bytes: int) -> Plan:
    """Return the changed plan with levers pulled where a step would take more than the memory it was planned for.

    What was asked for stays: the patch, the network, and the batch, if need be in parts whose gradients are added up.

    Args:
        before: as it was searched.
        after: with changes laid over, and new estimates.
        memory_bytes: what a step may take.

    Raises:
        PlanError: a step takes more with every lever pulled.
    """
    device = after.device.kind if after.device is not None else "cpu"
    configurations, reasons = {}, []
    for name, asked in after.configurations.items():
        configurations[name] = asked
        if asked == before.configurations[name]:
            continue
        if asked.estimate is not None and asked.estimate.training_bytes <= memory_bytes:
            continue  # predicted a moment ago
        search = PatchSearch(after, asked, memory_bytes=memory_bytes, device=device, asked={})
        if search.fits(asked):
            continue
        fitting, reason = _fit(search, asked)
        configurations[name] = fitting
        reasons.append(reason)
    return after.model_copy(update={"configurations": configurations, "reasons": (*after.reasons, *reasons)})


def _fit(search: PatchSearch, asked: Configuration) -> tuple[Configuration, Reason]:
    levers = [rung.lever for rung in needed(search, asked, lever_ladder(search, asked))]
    fitting = pull(asked, levers)
    cost = search.predict(fitting)
    if cost.bytes > search.memory_bytes:
        raise PlanError(
            f"what was asked for does not fit: {asked.name}",
            expected=f"a training step within {search.memory_bytes / 2**30:.2f} GiB",
            found=f"{cost.bytes / 2**30:.2f} GiB with every lever pulled ({', '.join(levers) or 'there is none'})",
            fix="ask for a smaller patch, batch or network, or give more --memory",
        )
    if asked.estimate is not None:
        estimate = cost.estimate(seconds=None, timing=NOT_TIMED, passes=fitting.training.accumulate)
        fitting = fitting.model_copy(update={"estimate": estimate})
    told = told_levers(search, asked, levers)
    return fitting, Reason(decision=f"{asked.name}.levers", value=", ".join(levers), because=told)
