"""Cases in order of how wrong they were judged, so that a report can show the worst first."""

from __future__ import annotations

from medarch.core.classification_evaluation import CaseJudgement, ClassificationEvaluation


def rank_cases(evaluation: ClassificationEvaluation) -> list[CaseJudgement]:
    """Return failed cases, then the others from the largest misjudgement to the smallest."""
    return sorted(evaluation.rows, key=lambda row: (row.status != "failed", -misjudgement(row), row.case))


def misjudgement(row: CaseJudgement) -> float:
    """Return the largest distance of a class's probability from what it should be, 0 to 1."""
    return max(abs(share - (name in row.truth)) for name, share in row.probabilities.items())
