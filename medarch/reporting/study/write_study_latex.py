"""A study as LaTeX tables for a paper."""

from __future__ import annotations

from medarch.core.comparison import Comparison
from medarch.reporting.study.conditions import conditions
from medarch.reporting.study.dataset_tables import dataset_tables, mean_rank_table
from medarch.reporting.study.study_table import StudyTable

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # after a line break a bare bracket would be its argument
    "]": "{]}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "†": r"$\dagger$",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
}


def write_study_latex(comparison: Comparison) -> str:
    r"""Return booktabs tables to ``\input``; a comment names the packages they need."""
    lines = [
        f"% {_comment(comparison.study)}: written by medarch.",
        r"% \usepackage{booktabs} and \usepackage{graphicx} belong into the preamble, \input{study} into the text.",
        *(f"% {_comment(name)}: {_comment(text)}." for name, text in conditions(comparison).items()),
    ]
    over_all = mean_rank_table(comparison)
    if over_all:
        lines += _table(over_all, caption="All datasets", label="all")
    for index, dataset in enumerate(comparison.datasets):
        for table in dataset_tables(dataset, comparison):
            lines += _table(table, caption=dataset.dataset, label=str(index))
    lines += [r"\paragraph{Conditions.}", *(f"{_escape(k)}: {_escape(v)}." for k, v in conditions(comparison).items())]
    return "\n".join(lines) + "\n"


def _table(table: StudyTable, *, caption: str, label: str) -> list[str]:
    columns = "".join("l" if column in table.words else "r" for column in range(len(table.headers)))
    rows = [" & ".join(map(_escape, row)) + r" \\" for row in table.rows]
    note = f" {table.note}" if table.note else ""
    return [
        "",
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{_escape(f'{caption}: {table.title}.{note}')}}}",
        r"\medskip",
        rf"\label{{tab:study-{label}-{table.key}}}",
        # As wide as it is, but never wider than the text.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(_escape, table.headers)) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]


def _escape(text: str) -> str:
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def _comment(text: str) -> str:
    return " ".join(text.split())
