"""The registry of tasks."""

from __future__ import annotations

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Plan
from medarch.tasks.classification import Classification
from medarch.tasks.nuclei.nuclei import Nuclei
from medarch.tasks.registration.registration import Registration
from medarch.tasks.segmentation import Segmentation
from medarch.tasks.task import Task

TASKS: dict[str, type[Task]] = {task.name: task for task in (Segmentation, Classification, Registration, Nuclei)}


def create_task(plan: Plan, configuration: Configuration) -> Task:
    """Return the task of a plan.

    Raises:
        PlanError: this version has no such task.
    """
    if plan.task not in TASKS:
        raise PlanError(
            f"task {plan.task!r} is not available",
            expected=", ".join(TASKS),
            found=plan.task,
            fix="use a newer medarch, or correct task in plan.json",
        )
    return TASKS[plan.task](plan, configuration)
