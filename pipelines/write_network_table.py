"""Write the table of networks in docs/networks.md from the registry.

python pipelines/write_network_table.py
"""

from __future__ import annotations

from pathlib import Path

from medarch import api

PAGE = Path(__file__).parent.parent / "docs" / "networks.md"
BEGIN, END = "<!-- table: python pipelines/write_network_table.py -->", "<!-- end of table -->"


def table() -> str:
    lines = ["| network | paper | parameters as published | outputs equal, with copied weights |", "|---|---|---|---|"]
    for entry in api.list_networks():
        first, *others = entry.paper.authors.split(", ")
        paper = f"{first}{' et al.' if others else ''} {entry.paper.year}, {entry.paper.where}"
        size = f"{entry.oracle.parameters:,} ({entry.oracle.how}: {entry.oracle.source})" if entry.oracle else ""
        lines.append(f"| `{entry.name}` | {paper} | {size} | {entry.checked_against} |")
    return "\n".join(lines)


def page_with_table(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
