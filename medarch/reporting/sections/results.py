"""Means with confidence intervals, one row a class, and the spread over cases."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Evaluation, Interval, Summary
from medarch.reporting.case_scores import CaseScore
from medarch.reporting.distribution import distribution
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import measure_title, write_measure

POLICIES = {
    "medarch": "a missed or spurious structure has DSC and NSD 0 and distances as long as the image’s diagonal; "
    "one that is absent from both is left out",
    "nnunet": "nnU-Net’s policy: a missed or spurious structure has DSC and NSD 0 and no distances; "
    "one that is absent from both is left out",
}


def results_section(evaluation: Evaluation | None, scores: Sequence[CaseScore]) -> Section:
    """Return the result table and the distribution."""
    if evaluation is None:
        return Section("results", "Results", absent="no evaluation was given.")
    measures = list(dict.fromkeys(name for summary in evaluation.summaries for name in summary.measures))
    ordered = sorted(evaluation.summaries, key=lambda summary: summary.label != "foreground")
    headers = ["Class", *(measure_title(name, evaluation) for name in measures), "Cases"]
    rows = [_row(summary, measures) for summary in ordered]
    note = (
        f"Mean, with the {evaluation.confidence * 100:g} % confidence interval from {evaluation.bootstrap_samples} "
        "bootstrap samples of cases. “Foreground” is the mean over classes within a case, then over cases. "
        f"Empty structures: {POLICIES[evaluation.empty_policy]}. Surface measures: {evaluation.surface_method}."
    )
    body = join(
        table(headers, rows, numbers=range(1, len(measures) + 1)),
        paragraph(note, class_="note"),
        tag("h3", "DSC of each case"),
        distribution(evaluation, scores),
        paragraph("A dot is a case, red at DSC 0; the box spans the quartiles around the median.", class_="note"),
    )
    return Section("results", "Results", body)


def _row(summary: Summary, measures: Sequence[str]) -> list[str]:
    total = max((interval.total for interval in summary.measures.values()), default=0)
    cells = [_cell(name, summary.measures.get(name)) for name in measures]
    statuses = [f"{count} {status.replace('_', ' ')}" for status, count in summary.statuses.items() if count]
    return [summary.label, *cells, tag("td", str(total), *(tag("small", status) for status in statuses))]


def _cell(measure: str, interval: Interval | None) -> Html:
    if interval is None:
        return number_cell(write_measure(measure, None))
    notes = []
    if interval.low is not None and interval.high is not None:
        notes.append(f"{write_measure(measure, interval.low)} to {write_measure(measure, interval.high)}")
    if interval.used != interval.total:
        notes.append(f"{interval.used} of {interval.total} cases")
    return number_cell(write_measure(measure, interval.mean), notes=notes)
