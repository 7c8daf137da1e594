"""From predictions and references to measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.core.errors import UsageError
from medarch.core.plan import Plan

if TYPE_CHECKING:
    from medarch.core.evaluation import EmptyPolicy, Evaluation
    from medarch.core.labels import LabelScheme


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
) -> Evaluation:
    """Measure a folder of predictions against a folder of references; write ``evaluation.json`` and ``evaluation.csv``.

    Args:
        predictions: folder of label maps.
        references: folder of label maps of the same names.
        dataset: a dataset (or its dataset.json record, or a plan.json) that names the labels; default the plan of the
            model that made the predictions.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        empty_policy: ``medarch`` or ``nnunet``.
        workers: processes.
        output: where to write; default the predictions' folder.
        progress: called with cases done and all.
    """
    from medarch.evaluation.evaluate import evaluate as measure
    from medarch.evaluation.write_tables import write_tables

    name, labels = _labels_for(predictions, dataset)
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


def _labels_for(predictions: Path, dataset: Path | None) -> tuple[str, LabelScheme]:
    if dataset is not None and dataset.name == "plan.json":
        made = Plan.load(dataset)
        return made.dataset, made.labels
    if dataset is not None:
        from medarch.io.read_dataset import read_dataset

        read = read_dataset(dataset)
        return read.name, read.labels
    record = predictions / "predictions.json"
    if not record.exists():
        raise UsageError(
            "the names of the labels are not known",
            expected="predictions made by `medarch predict`, or --dataset",
            found=f"no predictions.json in {predictions}",
            fix="give --dataset DATASET (its folder, or a plan.json)",
        )
    from medarch.core.prediction import Prediction

    made = Plan.load(Prediction.load(record).model / "plan.json")
    return made.dataset, made.labels
