"""One part of the report, or the sentence that says why it is not there."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.reporting.markup import Html


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    key: str
    """Anchor in the page."""
    title: str
    body: Html | None = None
    """None leaves the section out."""
    absent: str = ""
    """What was missing, a sentence, for a section that is left out."""
