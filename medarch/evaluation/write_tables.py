"""An evaluation on disk: the record, one CSV line a case and class, and the summary as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from medarch.core.evaluation import Evaluation
from medarch.core.files import write_text
from medarch.evaluation.format_table import format_table
from medarch.evaluation.measure_case import MEASURES


def write_tables(evaluation: Evaluation, folder: Path) -> tuple[Path, Path, Path]:
    """Write ``evaluation.json``, ``evaluation.csv`` and ``evaluation.md`` and return their paths.

    In the CSV an undefined measure is an empty cell; the status beside it says why.
    """
    record, rows, summary = (folder / f"evaluation.{suffix}" for suffix in ("json", "csv", "md"))
    evaluation.save(record)
    write_text(rows, _csv(evaluation))
    write_text(summary, format_table(evaluation))
    return record, rows, summary


def _csv(evaluation: Evaluation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "label", "status", *MEASURES, "reference_ml", "prediction_ml", "reason"])
    for row in evaluation.rows:
        values = [row.values[measure] for measure in MEASURES]
        writer.writerow([row.case, row.label, row.status, *values, row.reference_ml, row.prediction_ml, row.reason])
    return text.getvalue()
