"""Mean paired differences with their intervals around zero. Inline SVG that reflows with the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.comparison import Pair
from medarch.reporting.markup import Html, tag
from medarch.reporting.study.write_statistics import write_estimate

ROW = 48
"""Height of a pair in pixels: its names, then the interval."""


def difference_plot(pairs: Sequence[Pair]) -> Html:
    """Return a figure of one row a pair; to the right of zero the first method has the larger mean."""
    shown = [pair for pair in pairs if pair.difference.mean is not None]
    ends = [value for pair in shown for value in _span(pair)]
    step = _step(max((abs(value) for value in ends), default=0.0))
    reach = step * max(1, math.ceil(max((abs(value) for value in ends), default=0.0) / step))
    height = ROW * len(shown)
    parts = [_axis(reach, step, height)]
    parts += [_row(pair, reach=reach, top=ROW * index) for index, pair in enumerate(shown)]
    title = "Mean paired differences with intervals, one row a pair of methods"
    return tag("svg", *parts, class_="strip", height=height + 26, role="img", aria_label=title)


def _span(pair: Pair) -> tuple[float, float]:
    mean = pair.difference.mean or 0.0
    low, high = pair.difference.low, pair.difference.high
    return (mean if low is None else low, mean if high is None else high)


def _step(largest: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that one to five steps reach from zero to ``largest``."""
    if largest <= 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (0.2, 0.5, 1.0, 2.0) if 5 * step * power >= largest)


def _percent(value: float, reach: float) -> str:
    return f"{3 + 94 * (value + reach) / (2 * reach):.2f}%"


def _axis(reach: float, step: float, height: int) -> Html:
    count = round(reach / step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    parts = []
    for index in range(-count, count + 1):
        at = _percent(index * step, reach)
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=height, class_="zero" if index == 0 else "grid"))
        text = f"{index * step:+.{decimals}f}".replace("-", "−") if index else "0"
        # On a phone every second number has room.
        parts.append(tag("text", text, x=at, y=height + 18, class_="tick" if index % 2 == 0 else "tick odd"))
    return tag("g", *parts)


def _row(pair: Pair, *, reach: float, top: int) -> Html:
    low, high = _span(pair)
    written = write_estimate(pair.difference, decimals=4, signed=True)
    middle = top + 32
    certain = " certain" if pair.verdict in ("better", "worse") else ""
    return tag(
        "g",
        tag("text", f"{pair.method} − {pair.baseline}: {written}, {pair.verdict}", x=0, y=top + 16),
        tag(
            "line",
            x1=_percent(low, reach),
            x2=_percent(high, reach),
            y1=middle,
            y2=middle,
            class_=f"interval{certain}",
        ),
        tag("circle", cx=_percent(pair.difference.mean or 0.0, reach), cy=middle, r=4.5, class_=f"mean{certain}"),
    )
