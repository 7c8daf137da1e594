"""HTML that is safe by construction: text is escaped unless it is already :class:`Html`."""

from __future__ import annotations

import html


class Html(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def tag(element: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return one element; children that are not :class:`Html` and all attribute values are escaped.

    Args:
        element: its name.
        children: content, in order.
        attributes: ``None`` leaves an attribute out. A trailing underscore is dropped (``class_``), the others become
            hyphens (``aria_label``, ``data_value``).
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in ("img", "meta", "input", "br"):
        return Html(f"<{element}{written}>")
    return Html(f"<{element}{written}>{join(*children)}</{element}>")


def join(*children: str) -> Html:
    """Return the children one after another, escaped where they are plain text."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def paragraph(*children: str, class_: str | None = None) -> Html:
    """Return a paragraph."""
    return tag("p", *children, class_=class_)
