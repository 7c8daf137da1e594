"""What a report is about."""

from __future__ import annotations

from medarch.core.plan import Configuration, Plan
from medarch.reporting.markup import Html, join, paragraph, tag


def report_title(plan: Plan, configuration: Configuration) -> Html:
    """Return dataset, task, plan and configuration."""
    return join(
        paragraph(f"medarch report · {plan.task}", class_="kind"),
        tag("h1", plan.dataset),
        paragraph(f"Plan {plan.name}, configuration {configuration.name}, preset {plan.preset}", class_="note"),
    )
