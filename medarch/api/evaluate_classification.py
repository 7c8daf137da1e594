"""From judgements of cases and what they are to measures: what ``evaluate`` does for classifications."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case
from medarch.core.errors import UsageError
from medarch.core.plan import Plan
from medarch.core.prediction import Prediction

if TYPE_CHECKING:
    from medarch.core.classification_evaluation import ClassificationEvaluation
    from medarch.evaluation.classification.evaluate_classes import Reference


def is_classification(predictions: Path) -> bool:
    """Whether a folder holds judgements of cases rather than label maps."""
    record = predictions / "predictions.json"
    return record.exists() and any(row.class_probabilities for row in Prediction.load(record).cases)


def evaluate_classification(
    predictions: Path, references: Path, *, dataset: Path | None = None, output: Path | None = None
) -> ClassificationEvaluation:
    """Measure a folder made by ``medarch predict``; write ``evaluation.json``, ``evaluation.csv``, ``evaluation.md``.

    Args:
        predictions: the folder.
        references: the dataset, or a table of labels. Of a dataset or table whose test cases are predicted, test cases
            that are missing count as failed.
        dataset: plan.json that names the classes; default the plan of the model.
        output: where to write; default the predictions' folder.

    Raises:
        UsageError: the classes are not known.
    """
    from medarch.evaluation.classification.evaluate_classes import evaluate_classes
    from medarch.evaluation.classification.write_class_tables import write_class_tables

    record = Prediction.load(predictions / "predictions.json")
    name, classes = _classes(record, dataset)
    known, tests = _references(references)
    predicted = {row.case for row in record.cases}
    wanted = tests if predicted <= tests else predicted
    evaluation = evaluate_classes(
        record.cases,
        {case: reference for case, reference in known.items() if case in wanted},
        classes=classes,
        dataset=name,
        places=(str(predictions), str(references)),
    )
    write_class_tables(evaluation, output or predictions)
    return evaluation


def _classes(record: Prediction, dataset: Path | None) -> tuple[str, ClassScheme]:
    source = dataset if dataset is not None and dataset.name == "plan.json" else record.model / "plan.json"
    plan = Plan.load(source)
    if plan.classes is None:
        raise UsageError(f"{source} names no classes", fix="give --dataset with the plan.json of the model")
    return plan.dataset, plan.classes


def _references(source: Path) -> tuple[dict[str, Reference], set[str]]:
    """What every labelled case is, and which of them are test cases."""
    from medarch.evaluation.classification.evaluate_classes import Reference

    if source.suffix.lower() == ".csv":
        from medarch.io.class_table import read_class_table

        rows = read_class_table(source).rows
        known = {row.case: Reference(row.classes, row.patient) for row in rows if row.classes is not None}
        return known, {row.case for row in rows if row.part == "test" and row.classes is not None}
    from medarch.io.read_dataset import read_dataset

    read = read_dataset(source)

    def labelled(cases: tuple[Case, ...]) -> dict[str, Reference]:
        return {case.id: Reference(case.classes, case.patient) for case in cases if case.classes is not None}

    return labelled((*read.cases, *read.test_cases)), set(labelled(read.test_cases))
