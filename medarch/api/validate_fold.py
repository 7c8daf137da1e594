"""A fold's validation cases predicted and measured: what ``train`` ends with and ``select`` may have to make good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medarch.api.plan_folder import PlanFolder
from medarch.api.progress import Progress
from medarch.api.validate_classifier import validate_classifier
from medarch.api.validate_registration import validate_registration
from medarch.core.plan import Configuration

if TYPE_CHECKING:
    from medarch.core.classification_evaluation import ClassificationEvaluation
    from medarch.core.evaluation import Evaluation
    from medarch.core.registration_evaluation import RegistrationEvaluation
    from medarch.preprocessing.case_store import CaseStore
    from medarch.preprocessing.prepare_previous_labels import FinishedLabelMap


def validate_fold(
    home: PlanFolder,
    chosen: Configuration,
    fold: int | str,
    *,
    store: CaseStore,
    maps: dict[str, FinishedLabelMap] | None,
    device: str,
    probabilities: bool,
    workers: int | None,
    progress: Progress | None = None,
) -> Evaluation | ClassificationEvaluation | RegistrationEvaluation:
    """Predict and measure the validation cases of a trained fold, without postprocessing.

    Args:
        home: the plan.
        chosen: a configuration of it.
        fold: which was trained.
        store: the prepared cases.
        maps: in a cascade, the first stage's label maps; see :func:`previous_stage_maps`.
        device: ``cpu``, ``cuda`` or ``mps``.
        probabilities: write class probabilities, too.
        workers: processes for measuring.
        progress: of predicting.
    """
    if home.plan.task == "registration":
        return validate_registration(home, chosen, fold, store=store, device=device, workers=workers, progress=progress)
    if home.plan.classes is not None:
        return validate_classifier(
            home, chosen, fold, classes=home.plan.classes, store=store, device=device, progress=progress
        )
    from medarch.evaluation.evaluate import evaluate as measure
    from medarch.evaluation.write_tables import write_tables
    from medarch.inference.load_model import load_model
    from medarch.inference.predict_cases import predict_cases
    from medarch.inference.prediction_options import PredictionOptions

    folder = home.fold_folder(chosen.name, fold) / "validation"
    model = load_model(home.folder / chosen.name / "model", folds=[str(fold)], device=device, previous_stage=False)
    cases = [home.dataset.case(case) for case in home.split(fold).val]
    options = PredictionOptions(probabilities=probabilities, postprocess=False, restart=True)
    previous = None if maps is None else {case: found.path for case, found in maps.items()}
    prediction = predict_cases(model, cases, folder, options=options, store=store, previous=previous, progress=progress)
    evaluation = measure(
        {row.case: row.output for row in prediction.cases if row.output is not None},
        {case.id: case.label for case in cases if case.label is not None},
        labels=home.plan.labels,
        dataset=home.dataset.name,
        workers=workers,
    )
    write_tables(evaluation, folder)
    return evaluation


def previous_stage_maps(home: PlanFolder, chosen: Configuration, fold: int | str) -> dict[str, FinishedLabelMap] | None:
    """Return the first stage's label map of each of a fold's cases; None for a configuration that is no second stage.

    Raises:
        TrainingError: folds of the first stage are missing.
    """
    if chosen.previous_stage is None:
        return None
    from medarch.planning.split_file import load_splits
    from medarch.training.find_previous_stage import find_previous_stage

    split = home.split(fold)
    stage = home.folder / chosen.previous_stage
    cases = sorted({*split.train, *split.val})
    return find_previous_stage(stage, load_splits(home.room.splits_file), cases=cases, fold=fold)
