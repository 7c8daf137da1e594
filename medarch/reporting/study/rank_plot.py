"""How often each method has each rank when other patients are drawn. Inline SVG that reflows with the page."""

from __future__ import annotations

import math

from medarch.core.comparison import MethodRank, Ranking
from medarch.reporting.markup import Html, tag

ROW = 56
"""Height of a method in pixels: its name, then the circles."""
RADIUS = 13.0
"""Of the circle of a rank that every bootstrap sample has."""


def rank_plot(ranking: Ranking) -> Html:
    """Return a figure of one row a method, best first: a circle's area is its rank's share of bootstrap samples."""
    methods = sorted(ranking.ranks, key=lambda rank: rank.rank)
    height = ROW * len(methods)
    parts = [_axis(len(methods), height)]
    parts += [_row(entry, count=len(methods), top=ROW * index) for index, entry in enumerate(methods)]
    title = "Share of bootstrap samples in which a method has a rank, one row a method"
    return tag("svg", *parts, class_="strip ranks", height=height + 26, role="img", aria_label=title)


def _percent(rank: float, count: int) -> str:
    return f"{8 + 84 * (rank - 1) / max(1, count - 1):.2f}%"


def _axis(count: int, height: int) -> Html:
    parts = []
    for rank in range(1, count + 1):
        at = _percent(rank, count)
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=height, class_="grid"))
        parts.append(tag("text", f"rank {rank}" if rank == 1 else str(rank), x=at, y=height + 18, class_="tick"))
    return tag("g", *parts)


def _row(entry: MethodRank, *, count: int, top: int) -> Html:
    middle = top + 38
    span = f"{entry.low:g}" if entry.low == entry.high else f"{entry.low:g} to {entry.high:g}"
    ends = {"x1": _percent(entry.low, count), "x2": _percent(entry.high, count)}
    circles = [
        tag(
            "circle",
            tag("title", f"{entry.method}: rank {rank:g} in {share:.1%} of the samples"),
            cx=_percent(rank, count),
            cy=middle,
            r=f"{RADIUS * math.sqrt(share):.1f}",
            class_="share",
        )
        for rank, share in entry.shares.items()
    ]
    return tag(
        "g",
        tag("line", **ends, y1=middle, y2=middle, class_="interval"),
        *circles,
        tag("text", f"{entry.method}: rank {entry.rank:g}, interval {span}", x=0, y=top + 16),
    )
