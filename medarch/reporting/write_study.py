"""A comparison study as files: for people, for papers, and for other programs."""

from __future__ import annotations

from pathlib import Path

from medarch.core.comparison import Comparison
from medarch.core.files import write_text
from medarch.core.study import StudyResult
from medarch.reporting.study.write_study_cases import write_study_cases
from medarch.reporting.study.write_study_challenger import write_study_challenger
from medarch.reporting.study.write_study_html import write_study_html
from medarch.reporting.study.write_study_latex import write_study_latex
from medarch.reporting.study.write_study_markdown import write_study_markdown


def write_study(result: StudyResult, comparison: Comparison, folder: Path) -> None:
    """Write the study into ``folder``, each file atomically, and none before all are made.

    ``study.md`` (plain text), ``study.html`` (one file with figures), ``study.tex`` (booktabs tables), ``per_case.csv``
    (every measurement), ``challenger.csv`` (for challengeR) and, last, ``comparison.json`` (the record).

    Args:
        result: what was measured.
        comparison: :func:`medarch.evaluation.compare_methods.compare_methods` of ``result``.
        folder: made if it is not there.
    """
    files = {
        "study.md": write_study_markdown(comparison),
        "study.html": write_study_html(result, comparison),
        "study.tex": write_study_latex(comparison),
        "per_case.csv": write_study_cases(result),
        "challenger.csv": write_study_challenger(result),
        "comparison.json": comparison.to_json() + "\n",
    }
    for name, text in files.items():
        write_text(folder / name, text)
