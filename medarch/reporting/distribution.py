"""The DSC of each case, one row of dots a class."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Evaluation
from medarch.reporting.case_scores import CaseScore
from medarch.reporting.markup import Html
from medarch.reporting.strip import Dots, strip


def distribution(evaluation: Evaluation, scores: Sequence[CaseScore]) -> Html:
    """Return a figure of the DSC of each case, foreground first and then each class."""
    rows: list[tuple[str, Dots]] = [("foreground", [(s.case, s.dsc) for s in scores if s.dsc is not None])]
    for summary in evaluation.summaries:
        if summary.label != "foreground":
            rows.append((summary.label, _of_class(scores, summary.label)))
    return strip(rows, title="Distribution of DSC over cases, one row a class")


def _of_class(scores: Sequence[CaseScore], label: str) -> Dots:
    rows = [row for score in scores for row in score.rows if row.label == label]
    return [(row.case, value) for row in rows if (value := row.values.get("dsc")) is not None]
