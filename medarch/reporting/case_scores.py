"""Cases in order of their foreground DSC, so that the report can show the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from medarch.core.evaluation import Evaluation, Measurement


@dataclass(frozen=True)
class CaseScore:
    """One case and all its rows."""

    case: str
    dsc: float | None
    """Mean DSC of its classes, those without one left out; the term that ``foreground`` averages."""
    rows: tuple[Measurement, ...]

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong, e.g. ``("missed RV",)``."""
        bad = ("missed", "spurious", "failed")
        return tuple(f"{row.status} {row.label}" for row in self.rows if row.status in bad)

    @property
    def failed(self) -> bool:
        """Whether there is no prediction."""
        return any(row.status == "failed" for row in self.rows)


def case_scores(evaluation: Evaluation) -> list[CaseScore]:
    """Return every case, worst first: failed ones, then by DSC; cases with nothing to score come last."""
    grouped: dict[str, list[Measurement]] = {}
    for row in evaluation.rows:
        grouped.setdefault(row.case, []).append(row)
    scores = [CaseScore(case, _mean(rows), tuple(rows)) for case, rows in grouped.items()]
    return sorted(scores, key=_rank)


def _mean(rows: Sequence[Measurement]) -> float | None:
    values = [value for row in rows if (value := row.values.get("dsc")) is not None]
    return fmean(values) if values else None


def _rank(score: CaseScore) -> tuple[bool, bool, float, str]:
    return not score.failed, score.dsc is None, score.dsc or 0.0, score.case
