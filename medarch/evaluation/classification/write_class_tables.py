"""An evaluation of a classification on disk: the record, one CSV line a case, and the summary as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.files import write_text
from medarch.evaluation.classification.format_class_table import format_class_table


def write_class_tables(evaluation: ClassificationEvaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.csv`` and ``evaluation.md``."""
    evaluation.save(folder / "evaluation.json")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = evaluation.classes.names
    writer.writerow(["case", "patient", "truth", "decided", "status", *names, "reason"])
    for row in evaluation.rows:
        shares = [f"{row.probabilities[name]:.6f}" for name in names]
        truth, decided = "|".join(row.truth), "|".join(row.decided)
        writer.writerow([row.case, row.patient or "", truth, decided, row.status, *shares, row.reason])
    write_text(folder / "evaluation.csv", text.getvalue())
    write_text(folder / "evaluation.md", format_class_table(evaluation))
