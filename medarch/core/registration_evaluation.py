"""How well pairs of images were brought together: labels, landmarks, and how the transform behaves."""

from __future__ import annotations

from typing import ClassVar, Literal

from medarch.core.evaluation import Interval, Measurement, Summary
from medarch.core.record import Record

PAIR_MEASURES = (
    "tre_mm",
    "tre_before_mm",
    "tre_max_mm",
    "folding_share",
    "sd_log_jacobian",
    "inverse_consistency_mm",
    "seconds",
)
"""Keys of ``PairMeasures.values``, in the order of tables."""


class PairMeasures(Record):
    """One registered pair. A measure that is undefined, or has nothing to be measured by, is None."""

    pair: str
    fixed: str
    moving: str
    status: Literal["ok", "failed"] = "ok"
    reason: str = ""
    """Why it failed; empty otherwise."""
    values: dict[str, float | None]
    """``tre_mm``: mean target registration error of the landmarks, ``tre_before_mm`` before registration,
    ``tre_max_mm`` the largest; ``folding_share``: voxels with a Jacobian determinant of 0 or less, 0..1;
    ``sd_log_jacobian``: standard deviation of its logarithm over the other voxels; ``inverse_consistency_mm``: mean
    distance of a voxel from where it was after there and back; ``seconds``: what the registration took."""


class RegistrationEvaluation(Record):
    """The seventh record of the data flow, for registrations."""

    main_measure: ClassVar[str] = "dsc"
    schema_version: Literal[1] = 1
    task: Literal["registration"] = "registration"
    dataset: str
    predictions: str
    nsd_tolerance_mm: float
    surface_method: str
    confidence: float
    bootstrap_samples: int
    rows: tuple[Measurement, ...]
    """The moving image's labels, warped, against the fixed image's; ``case`` is the pair. Empty without labels."""
    before: tuple[Measurement, ...]
    """The same where the registration started."""
    pairs: tuple[PairMeasures, ...]
    summaries: tuple[Summary, ...]
    """Of ``rows``: one a label, and ``foreground``."""
    summaries_before: tuple[Summary, ...]
    pair_summaries: dict[str, Interval]
    """Of each of :data:`PAIR_MEASURES` that any pair has."""

    def mean(self, label: str = "foreground", measure: str = "dsc") -> float | None:
        """Return one mean: of a label, or with label ``pair`` of one of :data:`PAIR_MEASURES`."""
        if label == "pair":
            found = self.pair_summaries.get(measure)
            return None if found is None else found.mean
        for summary in self.summaries:
            if summary.label == label:
                return summary.measures[measure].mean
        return None
