"""The box that shows and hides what is drawn over pictures."""

from __future__ import annotations

from medarch.reporting.markup import Html, tag


def outline_switch(text: str) -> Html:
    """Return the box, ticked, with its text; the page's style does the rest."""
    return tag("label", tag("input", type="checkbox", id="outlines", checked=""), f" {text}", class_="screen")
