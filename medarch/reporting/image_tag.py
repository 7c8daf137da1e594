"""Pictures that lie within the page."""

from __future__ import annotations

import base64

from medarch.reporting.markup import Html, tag


def image_tag(png: bytes, *, alt: str, **attributes: str | float | None) -> Html:
    """Return an ``<img>`` that holds the bytes of a PNG file."""
    return tag("img", src="data:image/png;base64," + base64.b64encode(png).decode(), alt=alt, **attributes)
