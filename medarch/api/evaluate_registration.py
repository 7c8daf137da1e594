"""From registered pairs and references to measures: what ``evaluate`` does for registrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.api.registered_pair import registered_pair
from medarch.core.dataset import Case
from medarch.core.plan import Plan
from medarch.core.prediction import Prediction

if TYPE_CHECKING:
    from medarch.core.registration_evaluation import RegistrationEvaluation


def is_registration(predictions: Path) -> bool:
    """Whether a folder holds registered pairs."""
    record = predictions / "predictions.json"
    return record.exists() and any(row.pair is not None for row in Prediction.load(record).cases)


def evaluate_registration(
    predictions: Path,
    references: Path | None = None,
    *,
    dataset: Path | None = None,
    nsd_tolerance_mm: float = 1.0,
    workers: int | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> RegistrationEvaluation:
    """Measure a folder made by ``medarch predict``; write ``evaluation.json``, ``evaluation.csv``, ``evaluation.md``.

    Args:
        predictions: the folder.
        references: a dataset, or a folder of label maps named by case; None: the label maps and landmarks that the
            pairs came with.
        dataset: plan.json that names the labels; default the plan of the model.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        workers: processes.
        output: where to write; default the predictions' folder.
        progress: called with pairs done and all.

    Raises:
        EvaluationError: nothing could be measured.
    """
    from medarch.evaluation.registration.evaluate_registrations import evaluate_registrations
    from medarch.evaluation.registration.write_registration_tables import write_registration_tables

    record = Prediction.load(predictions / "predictions.json")
    plan = Plan.load(dataset if dataset is not None and dataset.name == "plan.json" else record.model / "plan.json")
    known = {} if references is None else _references(references)
    evaluation = evaluate_registrations(
        [registered_pair(row, known) for row in record.cases],
        labels={name: plan.labels.labels[name] for name in plan.labels.foreground_names},
        dataset=plan.dataset,
        predictions=str(predictions),
        nsd_tolerance_mm=nsd_tolerance_mm,
        workers=workers,
        progress=progress,
    )
    write_registration_tables(evaluation, output or predictions)
    return evaluation


def _references(source: Path) -> dict[str, Case]:
    """Label maps and landmarks by case."""
    if source.is_dir() and not (source / "dataset.json").exists():
        from medarch.io.find_label_maps import find_label_maps

        return {case: Case(id=case, images=(), label=path) for case, path in find_label_maps(source).items()}
    from medarch.io.read_dataset import read_dataset

    read = read_dataset(source, task="registration")
    return {case.id: case for case in (*read.cases, *read.test_cases)}
