"""Which of many cases a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

EDGE_CASES = 3
"""So many of the worst and of the best cases."""
MOST_SHOWN = 2 * EDGE_CASES + 1
T = TypeVar("T")


def worst_middle_best(ranked: Sequence[T]) -> list[tuple[str, T]]:
    """Return the three worst, the median and the three best with their headings; all when there are no more than seven.

    Args:
        ranked: worst first.
    """
    count = len(ranked)
    if count <= MOST_SHOWN:
        return [(f"{place} of {count}, worst first", row) for place, row in enumerate(ranked, 1)]
    worst = [(f"Worst {place}", row) for place, row in enumerate(ranked[:EDGE_CASES], 1)]
    best = [(f"Best {place}", ranked[-place]) for place in range(EDGE_CASES, 0, -1)]
    return [*worst, ("Median", ranked[count // 2]), *best]
