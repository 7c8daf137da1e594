"""Stages of registration networks from those of a planner."""

from __future__ import annotations

from typing import Any

from medarch.core.plan import NetworkPlan


def topology(plan: NetworkPlan, *, widths: tuple[int, ...], blocks: int = 1) -> NetworkPlan:
    """Return the plan with stages that stride from the image on, as many as there are ``widths`` at most.

    A planner gives the strides of a U-Net, whose first stage does not stride: its other stages are these. Where the
    plan is open, every stage halves every axis.
    """
    strides, kernels = plan.strides, plan.kernels
    if not strides:
        strides, kernels = ((2,) * plan.dim,) * len(widths), ((3,) * plan.dim,) * len(widths)
    elif set(strides[0]) == {1} and len(strides) > 1:
        strides, kernels = strides[1:], kernels[1:]
    stages = min(len(strides), len(widths))
    changes: dict[str, Any] = {
        "features": widths[:stages],
        "strides": strides[:stages],
        "kernels": kernels[:stages],
        "blocks": (blocks,) * stages,
        "decoder_blocks": (blocks,) * (stages - 1),
        "deep_supervision": False,
        "heads": plan.dim,
    }
    return plan.model_copy(update=changes)
