"""Statistics as people read them."""

from __future__ import annotations

from medarch.core.comparison import Comparison, Estimate
from medarch.reporting.write_number import NONE, write_number

PERCENTILE = "†"
"""Marks an interval that is not BCa."""


def write_estimate(estimate: Estimate, *, decimals: int, signed: bool = False) -> str:
    """Return ``0.871 [0.860, 0.880]``, with a dagger where the interval is a percentile interval."""
    if estimate.mean is None:
        return NONE
    sign = "+" if signed and round(estimate.mean, decimals) > 0 else ""
    mean = sign + write_number(estimate.mean, decimals=decimals)
    if estimate.low is None or estimate.high is None:
        return mean
    low, high = (write_number(value, decimals=decimals) for value in (estimate.low, estimate.high))
    return f"{mean} [{low}, {high}]" + (PERCENTILE if estimate.interval == "percentile" else "")


def write_p_value(value: float | None) -> str:
    """Return three decimals, ``< 0.001``, or a dash."""
    return "< 0.001" if value is not None and value < 0.001 else write_number(value)


def write_bytes_size(value: int | None) -> str:
    """Return GiB."""
    return write_number(None if value is None else value / 2**30, decimals=2)


def study_measure_title(measure: str, comparison: Comparison) -> str:
    """Return the heading of a measure, with unit and tolerance."""
    return {"dsc": "DSC", "nsd": f"NSD {comparison.nsd_tolerance_mm:g} mm", "hd95_mm": "HD95 mm"}[measure]
