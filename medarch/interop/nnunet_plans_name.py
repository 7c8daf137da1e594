"""What nnU-Net would call a plan."""

from __future__ import annotations

from medarch.core.plan import Plan

PLANS_NAMES = {
    "nnunet": "nnUNetPlans",
    "resenc-m": "nnUNetResEncUNetMPlans",
    "resenc-l": "nnUNetResEncUNetLPlans",
    "resenc-xl": "nnUNetResEncUNetXLPlans",
}
"""Preset → nnU-Net's name of the plans that its planner writes."""


def nnunet_plans_name(plan: Plan) -> str:
    """Return nnU-Net's name for plans of its own presets, else the plan's name (``__`` divides names in nnU-Net)."""
    own = plan.name == plan.preset and plan.preset in PLANS_NAMES
    return PLANS_NAMES[plan.preset] if own else plan.name.replace("__", "_")
