"""What a reader of a classification's report wants to know first."""

from __future__ import annotations

from collections import Counter

from medarch.core.classification_evaluation import OVERALL, ClassificationEvaluation
from medarch.core.plan import Configuration, Plan
from medarch.reporting.fact import fact
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.report_title import report_title
from medarch.reporting.write_number import write_number


def class_headline(plan: Plan, configuration: Configuration, evaluation: ClassificationEvaluation | None) -> Html:
    """Return the title and the key figures."""
    title = report_title(plan, configuration)
    if evaluation is None:
        return join(title, paragraph("No evaluation was given, so this report says nothing about accuracy."))
    facts = [
        _measure(evaluation, "auroc", "Mean AUROC"),
        _measure(evaluation, "balanced_accuracy", "Balanced accuracy"),
        fact("Cases", str(len(evaluation.rows)), _outcome(evaluation)),
    ]
    return join(title, tag("dl", *facts, class_="facts"))


def _measure(evaluation: ClassificationEvaluation, measure: str, name: str) -> Html:
    interval = next(row for row in evaluation.summaries if row.label == OVERALL).measures[measure]
    if interval.low is None or interval.high is None:
        return fact(name, write_number(interval.mean), "no interval")
    span = f"{write_number(interval.low)} to {write_number(interval.high)}"
    return fact(name, write_number(interval.mean), f"{evaluation.confidence * 100:g} % confidence interval {span}")


def _outcome(evaluation: ClassificationEvaluation) -> str:
    counts = Counter(row.status for row in evaluation.rows)
    return ", ".join(f"{counts[status]} {status}" for status in ("right", "wrong", "failed") if counts[status])
