"""Rows of dots with a box over the quartiles, one row a class or method. Inline SVG that reflows with the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medarch.reporting.markup import Html, tag
from medarch.reporting.write_number import write_number

if TYPE_CHECKING:
    import numpy as np

ROW = 64
"""Height of a row in pixels: its name, then the dots."""
FENCE = 1.5
"""Whiskers end at the last case within so many interquartile ranges of the box (Tukey 1977)."""

Dots = Sequence[tuple[str, float]]
"""Case and score, 0..1."""


def strip(rows: Sequence[tuple[str, Dots]], *, title: str) -> Html:
    """Return a figure of scores between 0 and 1, one named row after another.

    Horizontal positions are percentages, so text keeps its size on a phone and colours follow the page.
    """
    lowest = min((value for _, dots in rows for _, value in dots), default=0.0)
    low = max(0.0, min(math.floor(lowest * 10 - 1e-9) / 10, 0.8))
    height = ROW * len(rows)
    parts = [_axis(low, height)]
    parts += [_row(name, dots, low=low, top=ROW * index) for index, (name, dots) in enumerate(rows)]
    # A margin on both sides, so that dots at the ends are whole.
    return tag("svg", *parts, class_="strip", height=height + 26, role="img", aria_label=title)


def _percent(value: float, low: float) -> str:
    return f"{2 + 95 * (value - low) / (1 - low):.2f}%"


def _axis(low: float, height: int) -> Html:
    step = 0.1 if low >= 0.45 else 0.2
    ticks = [round(1 - step * index, 2) for index in range(math.floor((1 - low) / step + 1e-9) + 1)]
    parts = []
    for tick in ticks:
        at = _percent(tick, low)
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=height, class_="grid"))
        parts.append(tag("text", f"{tick:.1f}", x=at, y=height + 18, class_="tick"))
    return tag("g", *parts)


def _row(name: str, dots: Dots, *, low: float, top: int) -> Html:
    import numpy as np

    note = "no case has a DSC" if not dots else f"median {write_number(float(np.median([v for _, v in dots])))}"
    parts = [tag("text", f"{name}: {note}", x=0, y=top + 16)]
    if len(dots) > 1:
        parts += _box(np.array([value for _, value in dots]), low=low, middle=top + 42)
    for index, (case, value) in enumerate(dots):
        shift = (index * 5) % 7 - 3  # cases with equal scores stay apart
        parts.append(
            tag(
                "circle",
                tag("title", f"{case}: {write_number(value)}"),
                cx=_percent(value, low),
                cy=top + 42 + 3.0 * shift,
                r=3.5,
                class_="dot bad" if value == 0 else "dot",
            )
        )
    return tag("g", *parts)


def _box(values: np.ndarray, *, low: float, middle: int) -> list[Html]:
    import numpy as np

    first, median, third = (float(value) for value in np.percentile(values, (25, 50, 75)))
    reach = FENCE * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    width = f"{95 * (third - first) / (1 - low):.2f}%"
    ends = {"x1": _percent(float(inside.min()), low), "x2": _percent(float(inside.max()), low)}
    at = _percent(median, low)
    return [
        tag("line", **ends, y1=middle, y2=middle, class_="whisker"),
        tag("rect", x=_percent(first, low), width=width, y=middle - 12, height=24, rx=2, class_="box"),
        tag("line", x1=at, x2=at, y1=middle - 12, y2=middle + 12, class_="median"),
    ]
