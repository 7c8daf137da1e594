"""From predictions and references to measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.evaluate_classification import evaluate_classification, is_classification
from medarch.api.evaluate_nuclei import evaluate_nuclei, is_nuclei
from medarch.api.evaluate_registration import evaluate_registration, is_registration
from medarch.api.find_labels import find_labels
from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.core.evaluation import EmptyPolicy
    from medarch.core.load_evaluation import AnyEvaluation


def evaluate(
    predictions: Path,
    references: Path,
    *,
    dataset: Path | None = None,
    nsd_tolerance_mm: float = 1.0,
    empty_policy: EmptyPolicy = "medarch",
    workers: int | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> AnyEvaluation:
    """Measure a folder of predictions against a folder of references; write ``evaluation.json`` and ``evaluation.csv``.

    Args:
        predictions: folder of label maps.
        references: folder of label maps of the same names; of a classification the dataset, or a table of labels; of a
            registration the dataset, or a folder of label maps of its cases.
        dataset: a dataset (or its dataset.json record, or a plan.json) that names the labels; default the plan of the
            model that made the predictions.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        empty_policy: ``medarch`` or ``nnunet``.
        workers: processes.
        output: where to write; default the predictions' folder.
        progress: called with cases done and all.
    """
    if is_registration(predictions):
        return evaluate_registration(
            predictions,
            references,
            dataset=dataset,
            nsd_tolerance_mm=nsd_tolerance_mm,
            workers=workers,
            output=output,
            progress=progress,
        )
    if is_nuclei(predictions):
        return evaluate_nuclei(predictions, references, output=output)
    if is_classification(predictions):
        return evaluate_classification(predictions, references, dataset=dataset, output=output)
    from medarch.evaluation.evaluate import evaluate as measure
    from medarch.evaluation.write_tables import write_tables

    name, labels = find_labels(predictions, dataset)
    evaluation = measure(
        predictions,
        references,
        labels=labels,
        dataset=name,
        nsd_tolerance_mm=nsd_tolerance_mm,
        empty_policy=empty_policy,
        workers=workers,
        progress=progress,
    )
    write_tables(evaluation, output or predictions)
    return evaluation
