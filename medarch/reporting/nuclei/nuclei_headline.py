"""What a reader of a report of nuclei wants to know first."""

from __future__ import annotations

from medarch.core.nuclei_evaluation import NucleiEvaluation
from medarch.core.plan import Configuration, Plan
from medarch.reporting.fact import fact
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.nuclei.detection_radius import detection_radius
from medarch.reporting.report_title import report_title
from medarch.reporting.write_number import write_number


def nuclei_headline(plan: Plan, configuration: Configuration, evaluation: NucleiEvaluation | None) -> Html:
    """Return the title and the key figures."""
    title = report_title(plan, configuration)
    if evaluation is None:
        return join(title, paragraph("No evaluation was given, so this report says nothing about accuracy."))
    nuclei = sum(row.reference_nuclei for row in evaluation.rows)
    failed = sum(row.status == "failed" for row in evaluation.rows)
    facts = [
        _quality(evaluation),
        fact(
            "Detection F1",
            write_number(evaluation.detection_f),
            f"centres within {detection_radius(evaluation)}, whatever the type",
        ),
        fact(
            "Images", str(len(evaluation.rows)), f"{nuclei} nuclei, {f'{failed} failed' if failed else 'none failed'}"
        ),
    ]
    return join(title, tag("dl", *facts, class_="facts"))


def _quality(evaluation: NucleiEvaluation) -> Html:
    interval = evaluation.summaries[0].measures["pq"]
    note = f"over {interval.used} of {interval.total} images"
    if interval.low is not None and interval.high is not None:
        span = f"{write_number(interval.low)} to {write_number(interval.high)}"
        note = f"{evaluation.confidence * 100:g} % confidence interval {span}, {note}"
    return fact("Mean panoptic quality", write_number(interval.mean), note)
