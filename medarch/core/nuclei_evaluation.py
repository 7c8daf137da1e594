"""How well nuclei were found, outlined and classified."""

from __future__ import annotations

from typing import ClassVar, Literal

from medarch.core.evaluation import Summary
from medarch.core.record import Record

IMAGE_MEASURES = ("pq", "dq", "sq", "aji", "aji_plus", "dice")
"""Keys of ``NucleiMeasures.values``, in the order of tables."""


class NucleiMeasures(Record):
    """One image. A measure that is undefined (no nuclei in either reading) is None."""

    case: str
    status: Literal["ok", "failed"] = "ok"
    reason: str = ""
    """Why it failed; empty otherwise."""
    values: dict[str, float | None] = {}
    """:data:`IMAGE_MEASURES`, each 0..1."""
    reference_nuclei: int = 0
    found_nuclei: int = 0


class NucleiEvaluation(Record):
    """The seventh record of the data flow, for nuclei."""

    main_measure: ClassVar[str] = "pq"
    schema_version: Literal[1] = 1
    task: Literal["nuclei"] = "nuclei"
    dataset: str
    predictions: str
    confidence: float
    bootstrap_samples: int
    rows: tuple[NucleiMeasures, ...]
    summaries: tuple[Summary, ...]
    """One, ``nucleus``: means over images."""
    pooled: dict[str, float | None]
    """``pq``, ``dq``, ``sq`` of the nuclei of all images together."""
    detection_f: float | None
    """F_d: centres within 12 pixels, of volumes within :attr:`detection_radius_mm`, whatever the type."""
    detection_radius_mm: float | None = None
    types: dict[str, dict[str, float | None]] = {}
    """Of each type: ``pq`` over all images together, ``f``: F_c."""
    multi_class_pq: float | None = None
    """mPQ+: the mean of the types' pooled PQ."""
    multi_class_pq_per_image: float | None = None
    """mPQ: over the types an image's reference has, then over images."""
    spurious_of_absent_types: int = 0
    """Nuclei of types that the image's reference has not; mPQ does not see them, mPQ+ does."""

    def mean(self, label: str = "nucleus", measure: str = "pq") -> float | None:
        """Return one mean over images, e.g. the mean PQ."""
        for summary in self.summaries:
            if summary.label == label:
                return summary.measures[measure].mean
        return None
