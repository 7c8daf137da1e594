"""Every case, worst first."""

from __future__ import annotations

from medarch.core.classification_evaluation import CaseJudgement, ClassificationEvaluation
from medarch.reporting.classification.rank_cases import misjudgement, rank_cases
from medarch.reporting.markup import paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import write_number


def case_table(evaluation: ClassificationEvaluation | None) -> Section:
    """Return the sortable table."""
    if evaluation is None:
        return Section("cases", "Cases", absent="no evaluation was given.")
    names = evaluation.classes.names
    headers = ["Case", "Is", "Decided", "Misjudged", *names, "Remarks"]
    rows = [_row(row, names) for row in rank_cases(evaluation)]
    note = f"{len(rows)} cases, worst first: “misjudged” is the probability that a case’s own classes did not get."
    body = tag("div", table(headers, rows, numbers=range(3, len(names) + 4), sortable=True), class_="tall")
    return Section("cases", "Cases", tag("div", paragraph(note, class_="note"), body))


def _row(row: CaseJudgement, names: tuple[str, ...]) -> list[str]:
    remark = row.reason or row.status
    shares = [number_cell(write_number(row.probabilities[name]), row.probabilities[name]) for name in names]
    worst = misjudgement(row)
    return [
        row.case,
        ", ".join(row.truth) or "none",
        ", ".join(row.decided) or "none",
        number_cell(write_number(worst), worst),
        *shares,
        tag("td", tag("span", remark, class_="alarm") if row.status != "right" else ""),
    ]
