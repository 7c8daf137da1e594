"""Every method against every other in one square table."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.comparison import Pair
from medarch.reporting.markup import Html, tag
from medarch.reporting.study.write_statistics import write_p_value
from medarch.reporting.write_number import NONE, write_number

SIGNS = {"better": "▲", "worse": "▼"}
MIRRORED = {"better": "worse", "worse": "better"}


def significance_matrix(methods: Sequence[str], pairs: Sequence[Pair]) -> Html:
    """Return a table of row minus column: mean difference, finding by sign and colour, and Holm's p below."""
    found = {(pair.method, pair.baseline): pair for pair in pairs}
    head = tag("tr", tag("th", "row − column", scope="col"), *(tag("th", name, scope="col") for name in methods))
    rows = [
        tag("tr", tag("th", row, scope="row"), *(_cell(found, row, column) for column in methods)) for row in methods
    ]
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows), class_="matrix"), class_="scroll", tabindex="0"
    )


def _cell(found: dict[tuple[str, str], Pair], row: str, column: str) -> Html:
    if row == column:
        return tag("td", NONE, class_="self")
    turned = (row, column) not in found
    pair = found[(column, row) if turned else (row, column)]
    mean = pair.difference.mean
    value = None if mean is None else -mean if turned else mean
    verdict = MIRRORED.get(pair.verdict, pair.verdict) if turned else pair.verdict
    sign = "+" if value is not None and round(value, 4) > 0 else ""
    text = f"{SIGNS.get(verdict, '')} {sign}{write_number(value, decimals=4)}".strip()
    note = f"p {write_p_value(pair.holm_p)}"
    return tag("td", text, tag("small", note), title=verdict, class_=verdict if verdict in SIGNS else None)
