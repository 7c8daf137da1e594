"""Every case, worst first, and every measure behind it."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Evaluation
from medarch.reporting.case_scores import CaseScore
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import measure_title, write_measure, write_number


def cases_section(evaluation: Evaluation | None, scores: Sequence[CaseScore]) -> Section:
    """Return the sortable table of cases."""
    if evaluation is None:
        return Section("cases", "Cases", absent="no evaluation was given.")
    labels = list(dict.fromkeys(row.label for row in evaluation.rows))
    headers = ["Case", "Foreground DSC", *(f"{label} DSC" for label in labels), "Remarks"]
    rows = [_case_row(score, labels) for score in scores]
    body = join(
        paragraph(f"{len(scores)} cases, worst first; a click on a heading sorts.", class_="note"),
        tag("div", table(headers, rows, numbers=range(1, len(labels) + 2), sortable=True), class_="tall"),
        tag("details", tag("summary", "Every measure of every class"), _measures(evaluation, scores)),
    )
    return Section("cases", "Cases", body)


def _case_row(score: CaseScore, labels: Sequence[str]) -> list[str]:
    values = {row.label: row.values.get("dsc") for row in score.rows}
    remarks = tag("td", tag("span", ", ".join(score.troubles), class_="alarm") if score.troubles else "")
    return [score.case, _number("dsc", score.dsc), *(_number("dsc", values.get(label)) for label in labels), remarks]


def _measures(evaluation: Evaluation, scores: Sequence[CaseScore]) -> Html:
    names = list(dict.fromkeys(name for row in evaluation.rows for name in row.values))
    headers = [
        "Case",
        "Class",
        *(measure_title(name, evaluation) for name in names),
        "Reference, ml",
        "Prediction, ml",
        "Status",
    ]
    rows = [
        [
            row.case,
            row.label,
            *(_number(name, row.values.get(name)) for name in names),
            number_cell(write_number(row.reference_ml, decimals=2), row.reference_ml),
            number_cell(write_number(row.prediction_ml, decimals=2), row.prediction_ml),
            row.status.replace("_", " "),
        ]
        for score in scores
        for row in score.rows
    ]
    columns = range(2, len(names) + 4)
    return tag("div", table(headers, rows, numbers=columns, sortable=True), class_="tall")


def _number(measure: str, value: float | None) -> Html:
    return number_cell(write_measure(measure, value), value)
