"""One run's predictions against its references, with the same ruler for every method."""

from __future__ import annotations

import hashlib
import json

from medarch.core.evaluation import Evaluation
from medarch.core.study import StudyRow
from medarch.evaluation.evaluate import evaluate
from medarch.evaluation.write_tables import write_tables
from medarch.studies.job import PREDICTIONS, JobRecord, find_predictions
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import EvaluationSettings


def evaluate_run(run: PlannedRun, record: JobRecord, settings: EvaluationSettings) -> list[StudyRow]:
    """Measure the validation cases, or read the measures of the same predictions; they lie in ``evaluation/``.

    Raises:
        EvaluationError: no case could be measured.
    """
    folder = run.folder / "evaluation"
    asked = json.dumps([record.outputs, settings.model_dump(mode="json")], sort_keys=True)
    marker, digest = folder / "of.sha256", hashlib.sha256(asked.encode()).hexdigest()
    if marker.exists() and marker.read_text() == digest:
        evaluation = Evaluation.load(folder / "evaluation.json")
    else:
        found = find_predictions(run.folder / PREDICTIONS)
        dataset = run.dataset.dataset
        references = {case: label for case in run.cases if (label := dataset.case(case).label) is not None}
        evaluation = evaluate(
            {case: found[case] for case in run.cases},
            references,
            labels=dataset.labels,
            dataset=run.dataset.name,
            nsd_tolerance_mm=settings.nsd_tolerance_mm,
            empty_policy=settings.empty_policy,
        )
        write_tables(evaluation, folder)
        marker.write_text(digest)
    return [
        StudyRow(
            dataset=run.dataset.name,
            method=run.method.name,
            fold=run.fold,
            seed=run.seed,
            case=row.case,
            patient=run.dataset.patients[row.case],
            label=row.label,
            status=row.status,
            values=row.values,
        )
        for row in evaluation.rows
    ]
