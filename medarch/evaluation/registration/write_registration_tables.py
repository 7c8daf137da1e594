"""An evaluation of registrations on disk: the record, one CSV line a pair, and the summary as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from medarch.core.files import write_text
from medarch.core.registration_evaluation import PAIR_MEASURES, RegistrationEvaluation
from medarch.evaluation.registration.format_registration_table import format_registration_table


def write_registration_tables(evaluation: RegistrationEvaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.csv`` (labels of a pair averaged) and ``evaluation.md``."""
    evaluation.save(folder / "evaluation.json")
    write_text(folder / "evaluation.csv", _csv(evaluation))
    write_text(folder / "evaluation.md", format_registration_table(evaluation))


def _csv(evaluation: RegistrationEvaluation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_labels = ("dsc", "hd95_mm")
    headers = [f"{measure}{when}" for measure in of_labels for when in ("_before", "")]
    writer.writerow(["pair", "fixed", "moving", "status", *headers, *PAIR_MEASURES, "reason"])
    for pair in evaluation.pairs:
        values = [
            _mean([row.values[measure] for row in rows if row.case == pair.pair])
            for measure in of_labels
            for rows in (evaluation.before, evaluation.rows)
        ]
        measures = [pair.values[name] for name in PAIR_MEASURES]
        writer.writerow([pair.pair, pair.fixed, pair.moving, pair.status, *values, *measures, pair.reason])
    return text.getvalue()


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
