"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Evaluation

NONE = "–"
"""Stands for a measure that is undefined."""


def write_number(value: float | None, *, decimals: int = 3) -> str:
    """Return a fixed number of decimals, or a dash for None."""
    return NONE if value is None else f"{value:.{decimals}f}".replace("-", "−")


def write_measure(measure: str, value: float | None) -> str:
    """Return a measure with the decimals it deserves: scores 3, millimetres and millilitres 2."""
    return write_number(value, decimals=3 if measure in ("dsc", "nsd", "relative_volume_error") else 2)


def write_size(values: Sequence[float | None], *, unit: str = "") -> str:
    """Return ``1.25 × 1.25 × 10 mm``; an axis without a value is ``any``."""
    return " × ".join("any" if value is None else f"{value:.4g}" for value in values) + (f" {unit}" if unit else "")


def measure_title(measure: str, evaluation: Evaluation) -> str:
    """Return the heading of a measure, with its unit and tolerance."""
    titles = {
        "dsc": "DSC",
        "nsd": f"NSD at {evaluation.nsd_tolerance_mm:g} mm",
        "hd95_mm": "HD95, mm",
        "assd_mm": "ASSD, mm",
        "volume_error_ml": "Volume error, ml",
        "relative_volume_error": "Relative volume error",
    }
    return titles.get(measure, measure)
