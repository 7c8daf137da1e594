"""A mean with its interval, in a table."""

from __future__ import annotations

from medarch.core.evaluation import Interval
from medarch.reporting.markup import Html
from medarch.reporting.table import number_cell
from medarch.reporting.write_number import write_number


def interval_cell(interval: Interval | None, *, of: str, decimals: int = 3) -> Html:
    """Return a cell sorted by the mean; below it the interval, and of how many it is if not of all.

    Args:
        interval: None where nothing was measured.
        of: what was measured, in the plural.
        decimals: of all numbers.
    """
    if interval is None:
        return number_cell(write_number(None))
    notes = []
    if interval.low is not None and interval.high is not None:
        low, high = (write_number(value, decimals=decimals) for value in (interval.low, interval.high))
        notes.append(f"{low} to {high}")
    if interval.used != interval.total:
        notes.append(f"{interval.used} of {interval.total} {of}")
    return number_cell(write_number(interval.mean, decimals=decimals), interval.mean, notes=notes)
