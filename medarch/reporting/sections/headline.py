"""What a reader wants to know first."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Evaluation
from medarch.core.plan import Configuration, Plan
from medarch.reporting.case_scores import CaseScore
from medarch.reporting.fact import fact
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.report_title import report_title
from medarch.reporting.write_number import write_number


def headline(
    plan: Plan, configuration: Configuration, *, evaluation: Evaluation | None, scores: Sequence[CaseScore]
) -> Html:
    """Return the title and the key figures."""
    title = report_title(plan, configuration)
    if evaluation is None:
        return join(title, paragraph("No evaluation was given, so this report says nothing about accuracy."))
    scored = [score for score in scores if score.dsc is not None]
    facts = [_accuracy(evaluation)]
    if scored:
        worst = min(scored, key=lambda score: score.dsc or 0.0)
        facts.append(fact("Worst case", write_number(worst.dsc), worst.case))
    facts.append(fact("Cases", str(len(scores)), _troubles(scores)))
    return join(title, tag("dl", *facts, class_="facts"))


def _accuracy(evaluation: Evaluation) -> Html:
    found = [summary for summary in evaluation.summaries if summary.label == "foreground"]
    interval = found[0].measures.get("dsc") if found else None
    if interval is None or interval.mean is None:
        return fact("Mean foreground DSC", write_number(None), "no case has a DSC")
    note = f"over {interval.used} of {interval.total} cases"
    if interval.low is not None and interval.high is not None:
        span = f"{write_number(interval.low)} to {write_number(interval.high)}"
        note = f"{evaluation.confidence * 100:g} % confidence interval {span}, {note}"
    return fact("Mean foreground DSC", write_number(interval.mean), note)


def _troubles(scores: Sequence[CaseScore]) -> str:
    counts = {
        "failed": sum(score.failed for score in scores),
        "with a missed structure": sum(any(row.status == "missed" for row in score.rows) for score in scores),
        "with a spurious structure": sum(any(row.status == "spurious" for row in score.rows) for score in scores),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(told) or "none failed, no structure missed or spurious"
