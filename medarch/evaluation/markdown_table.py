"""Tables in Markdown that read well as plain text, too."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(table: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its columns padded to one width; the first row is the head."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
