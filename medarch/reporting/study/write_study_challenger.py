"""A study in the long format of challengeR, an independent implementation of the same kind of ranking."""

from __future__ import annotations

import csv
import io

import numpy as np

from medarch.core.comparison import PRIMARY_MEASURE
from medarch.core.study import StudyResult
from medarch.evaluation.score_cases import score_cases


def write_study_challenger(result: StudyResult) -> str:
    """Return ``task,algorithm,case,value``, one line for every combination that was asked for.

    ``value`` is the foreground DSC of the case, averaged over seeds; larger is better. What has no value is ``NA``, as
    challengeR demands, never left out: a case that is empty in reference and prediction, or one of a run that failed.

    Read it in R with ``as.challenge(read.csv("challenger.csv"), by = "task", algorithm = "algorithm", case = "case",
    value = "value", smallBetter = FALSE)`` (Wiesenfarth et al. 2021).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "algorithm", "case", "value"])
    for dataset in result.datasets:
        lost = {
            (run.method, case)
            for run in result.runs
            if run.dataset == dataset and run.status != "done"
            for case in run.cases
        }
        scores = _scores(result, dataset)
        asked = {case for run in result.runs if run.dataset == dataset for case in run.cases}
        for method in result.methods:
            for case in sorted(asked | {case for _, case in scores}):
                value = None if (method, case) in lost else scores.get((method, case))
                writer.writerow([dataset, method, case, "NA" if value is None else value])
    return text.getvalue()


def _scores(result: StudyResult, dataset: str) -> dict[tuple[str, str], float]:
    rows = [row for row in result.rows if row.dataset == dataset and row.method in result.methods]
    if not rows:
        return {}
    table = score_cases(rows, methods=result.methods)
    values = table.foreground(PRIMARY_MEASURE)
    return {
        (method, case): float(values[m, c])
        for m, method in enumerate(table.methods)
        for c, case in enumerate(table.cases)
        if np.isfinite(values[m, c])
    }
