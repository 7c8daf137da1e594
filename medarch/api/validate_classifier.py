"""A fold's validation cases judged and measured: what training a classifier ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medarch.api.classify import classify
from medarch.api.plan_folder import PlanFolder
from medarch.api.progress import Progress
from medarch.core.classes import ClassScheme
from medarch.core.plan import Configuration

if TYPE_CHECKING:
    from medarch.core.classification_evaluation import ClassificationEvaluation
    from medarch.preprocessing.case_store import CaseStore


def validate_classifier(
    home: PlanFolder,
    chosen: Configuration,
    fold: int | str,
    *,
    classes: ClassScheme,
    store: CaseStore,
    device: str,
    progress: Progress | None = None,
) -> ClassificationEvaluation:
    """Judge and measure the validation cases of a trained fold, and keep where the network looked.

    Args:
        home: the plan.
        chosen: a configuration of it.
        fold: which was trained.
        classes: of the plan.
        store: the prepared cases.
        device: ``cpu``, ``cuda`` or ``mps``.
        progress: of predicting.
    """
    from medarch.evaluation.classification.evaluate_classes import Reference, evaluate_classes
    from medarch.evaluation.classification.write_class_tables import write_class_tables

    folder = home.fold_folder(chosen.name, fold) / "validation"
    cases = [home.dataset.case(case) for case in home.split(fold).val]
    model = home.folder / chosen.name / "model"
    prediction = classify(
        model, cases, folder, folds=[str(fold)], device=device, restart=True, store=store, progress=progress
    )
    evaluation = evaluate_classes(
        prediction.cases,
        {case.id: Reference(case.classes or (), case.patient) for case in cases},
        classes=classes,
        dataset=home.dataset.name,
        places=(str(folder), str(home.dataset.root)),
    )
    write_class_tables(evaluation, folder)
    return evaluation
