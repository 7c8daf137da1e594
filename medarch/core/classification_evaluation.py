"""Judgements of cases against what they are: per case, per class and over all, with confidence intervals."""

from __future__ import annotations

from typing import ClassVar, Literal

from medarch.core.classes import ClassScheme
from medarch.core.evaluation import Interval
from medarch.core.record import Record

OVERALL = "overall"


class CaseJudgement(Record):
    """One case. A failed case counts as judged in the worst way possible."""

    case: str
    patient: str | None = None
    truth: tuple[str, ...]
    decided: tuple[str, ...]
    probabilities: dict[str, float]
    status: Literal["right", "wrong", "failed"]
    reason: str = ""
    """Why a case failed; empty otherwise."""


class ClassSummary(Record):
    """One class against the rest, or :data:`OVERALL`."""

    label: str
    measures: dict[str, Interval]
    """Of a class: ``auroc``, ``auprc``, ``f1``, ``sensitivity``, ``specificity``, ``precision``. Over all: ``auroc``,
    ``auprc``, ``accuracy``, ``balanced_accuracy``, ``f1``, ``brier``, ``ece``. All 0 to 1."""
    counts: dict[str, int] = {}
    """``true_positive``, ``false_positive``, ``false_negative``, ``true_negative`` of a class's decisions."""
    roc: tuple[tuple[float, float], ...] = ()
    """Points (1 - specificity, sensitivity)."""
    precision_recall: tuple[tuple[float, float], ...] = ()
    """Points (sensitivity, precision)."""


class ReliabilityBin(Record):
    """Cases whose confidence lies in one range."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Mean of the stated probabilities; None without cases."""
    frequency: float | None
    """How often they were right."""


class ClassificationEvaluation(Record):
    """The seventh record of the data flow, for classifications."""

    main_measure: ClassVar[str] = "auroc"
    schema_version: Literal[1] = 1
    task: Literal["classification"] = "classification"
    dataset: str
    predictions: str
    references: str
    classes: ClassScheme
    confidence: float
    bootstrap_samples: int
    patients: int
    """What the bootstrap draws; cases without a patient count as one each."""
    rows: tuple[CaseJudgement, ...]
    summaries: tuple[ClassSummary, ...]
    """:data:`OVERALL` first."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: what cases are; columns: what was decided, failed cases in no column. Empty for findings."""
    reliability: tuple[ReliabilityBin, ...] = ()

    def mean(self, label: str = OVERALL, measure: str = "auroc") -> float | None:
        """Return one measure, e.g. the mean area under the ROC curves of all classes."""
        for summary in self.summaries:
            if summary.label == label:
                return summary.measures[measure].mean
        return None
