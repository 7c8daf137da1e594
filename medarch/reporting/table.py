"""Tables that scroll sideways on a phone and sort on a click."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.reporting.markup import Html, tag


def number_cell(text: str, value: float | None = None, *, notes: Sequence[str] = ()) -> Html:
    """Return a cell aligned to the right, sorted by ``value``, with smaller notes below, one a line."""
    small = [tag("small", note) for note in notes]
    return tag("td", text, *small, class_="number", data_value=None if value is None else repr(float(value)))


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = (), sortable: bool = False
) -> Html:
    """Return a table in a box that scrolls sideways; the first cell of a row is its heading.

    Args:
        headers: column titles.
        rows: cells; an :class:`Html` cell that is a ``<td>`` already is used as it is.
        numbers: columns whose heading is aligned to the right.
        sortable: headings become buttons that sort by ``data-value``, or by text.
    """
    head = [
        tag(
            "th",
            tag("button", title, type="button") if sortable else title,
            scope="col",
            class_="number" if column in numbers else None,
        )
        for column, title in enumerate(headers)
    ]
    body = [tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in rows]
    whole = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), class_="sortable" if sortable else None)
    return tag("div", whole, class_="scroll", tabindex="0")


def _cell(content: str) -> Html:
    if isinstance(content, Html) and content.startswith("<td"):
        return content
    return tag("td", content)
