"""Measures of predictions against references, per case and class, with the status that explains each number."""

from __future__ import annotations

from typing import ClassVar, Literal

from medarch.core.record import Record

Status = Literal["ok", "missed", "spurious", "empty_both", "failed"]
EmptyPolicy = Literal["medarch", "nnunet"]


class Measurement(Record):
    """One class of one case. A measure that is undefined is None, never NaN."""

    case: str
    label: str
    status: Status
    values: dict[str, float | None]
    """``dsc`` (0..1), ``nsd`` (0..1), ``hd95_mm``, ``assd_mm``, ``volume_error_ml``, ``relative_volume_error``."""
    reference_ml: float
    prediction_ml: float
    reason: str = ""
    """Why a case failed; empty otherwise."""


class Interval(Record):
    """A mean with its bootstrap confidence interval."""

    mean: float | None
    low: float | None
    high: float | None
    used: int
    """Cases in the mean."""
    total: int


class Summary(Record):
    """One class (or ``foreground`` = mean over classes within a case, then over cases)."""

    label: str
    measures: dict[str, Interval]
    statuses: dict[Status, int]


class Evaluation(Record):
    """The seventh record of the data flow."""

    main_measure: ClassVar[str] = "dsc"
    schema_version: Literal[1] = 1
    dataset: str
    predictions: str
    references: str
    empty_policy: EmptyPolicy
    nsd_tolerance_mm: float
    surface_method: str
    """Names the implementation of the surface measures, because tools differ by up to 0.18 NSD on one pair."""
    confidence: float
    bootstrap_samples: int
    rows: tuple[Measurement, ...]
    summaries: tuple[Summary, ...]

    def mean(self, label: str = "foreground", measure: str = "dsc") -> float | None:
        """Return one mean, e.g. the mean foreground DSC."""
        for summary in self.summaries:
            if summary.label == label:
                return summary.measures[measure].mean
        return None
