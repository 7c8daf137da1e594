"""What a reader of a registration's report wants to know first."""

from __future__ import annotations

from medarch.core.plan import Configuration, Plan
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.reporting.fact import fact
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.report_title import report_title
from medarch.reporting.write_number import write_number


def pair_headline(
    evaluation: RegistrationEvaluation | None, plan: Plan | None, configuration: Configuration | None
) -> Html:
    """Return the title and the key figures."""
    if plan is not None and configuration is not None:
        title = report_title(plan, configuration)
    else:
        name = "" if evaluation is None else evaluation.dataset
        title = join(paragraph("medarch report · registration", class_="kind"), tag("h1", name or "Registration"))
    if evaluation is None:
        return join(title, paragraph("No evaluation was given, so this report says nothing about accuracy."))
    facts = []
    if evaluation.summaries:
        facts.append(_overlap(evaluation))
    if (tre := evaluation.mean("pair", "tre_mm")) is not None:
        before = write_number(evaluation.mean("pair", "tre_before_mm"), decimals=2)
        facts.append(fact("Landmark error", f"{write_number(tre, decimals=2)} mm", f"{before} mm before"))
    if (folds := evaluation.mean("pair", "folding_share")) is not None:
        facts.append(fact("Folds", f"{100 * folds:.2g} %", "of voxels, mean over pairs"))
    failed = sum(pair.status == "failed" for pair in evaluation.pairs)
    note = f"{failed} failed" if failed else "none failed"
    if (seconds := evaluation.mean("pair", "seconds")) is not None:
        note += f", {write_number(seconds, decimals=2)} s a pair"
    facts.append(fact("Pairs", str(len(evaluation.pairs)), note))
    return join(title, tag("dl", *facts, class_="facts"))


def _overlap(evaluation: RegistrationEvaluation) -> Html:
    foreground = next(row for row in evaluation.summaries if row.label == "foreground").measures["dsc"]
    started = next(row for row in evaluation.summaries_before if row.label == "foreground").measures["dsc"]
    note = f"{write_number(started.mean)} before"
    if foreground.low is not None and foreground.high is not None:
        span = f"{write_number(foreground.low)} to {write_number(foreground.high)}"
        note += f"; {evaluation.confidence * 100:g} % confidence interval {span}"
    return fact("Mean DSC of labels", write_number(foreground.mean), note)
