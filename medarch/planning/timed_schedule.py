"""Epochs that end with the time."""

from __future__ import annotations

import math
from typing import Any

EPOCHS_IN_BUDGET = 30


def timed_schedule(time_s: float, seconds: float, *, least: int = 1) -> tuple[dict[str, Any], str]:
    """Return what a plan's ``training`` needs for a time budget, and the reason.

    Args:
        time_s: the budget.
        seconds: of a step.
        least: steps of an epoch.
    """
    steps = time_s / seconds
    per_epoch = max(least, math.ceil(steps / EPOCHS_IN_BUDGET))
    changes = {
        "iterations_per_epoch": per_epoch,
        # More than fit: the time ends the run, not their number.
        "epochs": max(1, math.ceil(4 * steps / per_epoch)),
        "time_budget_s": time_s,
    }
    return changes, f"about {steps:.0f} steps fit into {time_s:.0f} s; the learning rate ends with the time"
