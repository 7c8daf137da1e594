"""A study as Markdown that reads as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.comparison import Comparison
from medarch.reporting.study.conditions import conditions
from medarch.reporting.study.dataset_tables import dataset_tables, mean_rank_table
from medarch.reporting.study.findings import findings
from medarch.reporting.study.study_table import StudyTable


def write_study_markdown(comparison: Comparison) -> str:
    """Return what the study says, its tables, and the conditions under which they hold."""
    lines = [f"# {comparison.study}", "", "A comparison of methods by medarch. Not for diagnosis.", ""]
    lines += ["## What it says", ""]
    for dataset, sentences in findings(comparison):
        lines += [f"{dataset}:", "", *(f"- {sentence}" for sentence in sentences), ""]
    over_all = mean_rank_table(comparison)
    if over_all:
        lines += ["## All datasets", "", *_table(over_all)]
    for dataset_comparison in comparison.datasets:
        lines += [f"## {dataset_comparison.dataset}", ""]
        if dataset_comparison.unavailable:
            lines += [f"No statistics: {dataset_comparison.unavailable}.", ""]
        for table in dataset_tables(dataset_comparison, comparison):
            lines += _table(table)
    lines += ["## Conditions", "", *(f"- {name}: {text}." for name, text in conditions(comparison).items())]
    return "\n".join(lines) + "\n"


def _table(table: StudyTable) -> list[str]:
    cells = [[_cell(text) for text in row] for row in (table.headers, *table.rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(table.headers))]
    words = [column in table.words for column in range(len(widths))]
    rule = "|".join(
        "-" * (width + 2) if word else "-" * (width + 1) + ":" for width, word in zip(widths, words, strict=True)
    )
    head, *body = [_line(row, widths, words) for row in cells]
    return [f"### {table.title}", "", head, f"|{rule}|", *body, "", *([table.note, ""] if table.note else [])]


def _line(row: Sequence[str], widths: Sequence[int], words: Sequence[bool]) -> str:
    aligned = [
        text.ljust(width) if word else text.rjust(width) for text, width, word in zip(row, widths, words, strict=True)
    ]
    return f"| {' | '.join(aligned)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
