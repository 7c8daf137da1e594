"""What the planners of tasks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medarch.core.dataset import Dataset
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Configuration, Plan, Reason
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.search_configuration import Budget


@dataclass
class Planner:
    """Keeps what the decisions share, and collects their reasons."""

    fingerprint: Fingerprint
    dataset: Dataset
    budget: Budget
    asked: Mapping[str, Any]
    """Architecture and options in place of the task's own."""
    measure: Callable[..., float]
    """Times a step."""
    reasons: list[Reason] = field(default_factory=list, init=False)

    def say(self, decision: str, value: object, because: str) -> None:
        """Keep a decision's reason."""
        self.reasons.append(Reason(decision=decision, value=str(value), because=because))

    def finished(self, plan: Plan, chosen: Configuration, cost: MemoryPrediction, seconds: float) -> Plan:
        """Return the plan with its one configuration, what a step of it costs, and all reasons."""
        estimate = cost.estimate(seconds=seconds, timing="seconds measured on this device")
        chosen = chosen.model_copy(update={"estimate": estimate})
        return plan.model_copy(update={"configurations": {chosen.name: chosen}, "reasons": tuple(self.reasons)})
