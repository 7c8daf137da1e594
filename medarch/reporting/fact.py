"""A key figure at the top of a report."""

from __future__ import annotations

from medarch.reporting.markup import Html, paragraph, tag


def fact(name: str, value: str, note: str) -> Html:
    """Return one entry of a ``dl``."""
    return tag("div", tag("dt", name), tag("dd", value, paragraph(note)))
