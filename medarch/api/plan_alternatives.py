"""What a plan could have been in the same memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medarch.core.errors import PlanError
from medarch.core.plan import Device, Plan

if TYPE_CHECKING:
    from medarch.planning.lever_alternatives import Alternative


def plan_alternatives(
    plan: Plan, *, configuration: str | None = None, memory_gb: float | None = None
) -> list[Alternative]:
    """Return the largest patch that fits for each number of levers, and which of them no other is better than.

    Takes about a minute.

    Args:
        plan: of a segmentation, with its device.
        configuration: default the plan's.
        memory_gb: what a step may take; default nine tenths of the plan's device.

    Raises:
        PlanError: the plan was made without looking at a device and no memory is given, or is no segmentation.
    """
    from medarch.planning.lever_alternatives import lever_alternatives
    from medarch.planning.memory_to_plan_with import memory_to_plan_with

    if plan.task != "segmentation":
        raise PlanError("alternatives are of segmentations", expected="a segmentation", found=plan.task)
    if plan.device is None and memory_gb is None:
        raise PlanError(
            f"plan {plan.name} was made without looking at a device", fix="give --memory, or plan with --preset auto"
        )
    device = plan.device or Device(kind="cuda", name="not looked at", memory_bytes=0)
    return lever_alternatives(
        plan,
        plan.configuration(configuration),
        device=device.kind,
        memory_bytes=memory_to_plan_with(device, memory_gb),
    )
