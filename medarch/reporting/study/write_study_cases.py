"""Every measurement of a study, one CSV line a run, case and class."""

from __future__ import annotations

import csv
import io

from medarch.core.study import StudyResult
from medarch.evaluation.measure_case import MEASURES


def write_study_cases(result: StudyResult) -> str:
    """Return the CSV; an undefined measure is an empty cell, and the status beside it says why."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dataset", "method", "fold", "seed", "case", "patient", "label", "status", *MEASURES])
    for row in result.rows:
        values = [row.values.get(measure) for measure in MEASURES]
        writer.writerow(
            [row.dataset, row.method, row.fold, row.seed, row.case, row.patient, row.label, row.status, *values]
        )
    return text.getvalue()
