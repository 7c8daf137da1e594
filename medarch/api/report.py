"""One HTML file about a fold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.environment import environment
from medarch.api.plan_folder import PlanFolder
from medarch.api.registered_pair import registered_pair
from medarch.api.validate_nuclei import SEPARATION

if TYPE_CHECKING:
    from medarch.core.evaluation import Evaluation
    from medarch.core.plan import Configuration
    from medarch.core.prediction import CasePrediction
    from medarch.reporting.nuclei.found_nuclei import FoundNuclei
    from medarch.reporting.nuclei.found_volume import FoundVolume


def report(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    fold: int | str = 0,
    predictions: Path | None = None,
    target: Path | None = None,
) -> Path:
    """Write one HTML file about a fold: curves, scores, worst and best cases, and why the plan is what it is.

    Args:
        plan_folder: ``WORKSPACE/DATASET/PLAN``.
        configuration: default the plan's.
        fold: which fold's training and validation.
        predictions: an evaluated folder of predictions to show instead of the fold's validation.
        target: default ``WORKSPACE/DATASET/report.html``.
    """
    from medarch.core.classification_evaluation import ClassificationEvaluation
    from medarch.core.evaluation import Evaluation
    from medarch.core.load_evaluation import load_evaluation
    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.core.prediction import Prediction
    from medarch.core.registration_evaluation import RegistrationEvaluation
    from medarch.core.separation import Separation
    from medarch.reporting.classification.write_classification_report import write_classification_report
    from medarch.reporting.nuclei.write_nuclei_report import write_nuclei_report
    from medarch.reporting.registration.write_registration_report import write_registration_report
    from medarch.reporting.write_report import write_report

    home = PlanFolder.load(plan_folder)
    chosen = home.plan.configuration(configuration)
    run = home.fold_folder(chosen.name, fold)
    shown = predictions or run / "validation"
    page = target or home.room.folder / "report.html"
    log = run / "log.csv" if (run / "log.csv").exists() else None
    has_scores = (shown / "evaluation.json").exists()
    evaluation = load_evaluation(shown / "evaluation.json") if has_scores else None
    has_cases = (shown / "predictions.json").exists()
    rows = Prediction.load(shown / "predictions.json").cases if has_cases else ()
    if home.plan.task == "registration":
        return write_registration_report(
            page,
            plan=home.plan,
            fingerprint=home.fingerprint(),
            configuration=chosen.name,
            training_log=log,
            evaluation=evaluation if isinstance(evaluation, RegistrationEvaluation) else None,
            pairs=[registered_pair(row, {case.id: case for case in home.dataset.cases}) for row in rows],
            environment=environment(),
        )
    if home.plan.task == "nuclei":
        return write_nuclei_report(
            page,
            plan=home.plan,
            fingerprint=home.fingerprint(),
            configuration=chosen.name,
            training_log=log,
            evaluation=evaluation if isinstance(evaluation, NucleiEvaluation) else None,
            calibrated_on_these=predictions is None,
            images=_found_nuclei(home, chosen, shown, rows),
            separation=Separation.load(calibrated) if (calibrated := run / SEPARATION).exists() else None,
            environment=environment(),
        )
    if home.plan.classes is not None:
        return write_classification_report(
            page,
            plan=home.plan,
            fingerprint=home.fingerprint(),
            configuration=chosen.name,
            training_log=log,
            evaluation=evaluation if isinstance(evaluation, ClassificationEvaluation) else None,
            images={row.case: row.images[0] for row in rows},
            saliency={row.case: row.saliency for row in rows if row.saliency is not None},
            environment=environment(),
        )
    evaluation = evaluation if isinstance(evaluation, Evaluation) else None
    return write_report(
        page,
        plan=home.plan,
        fingerprint=home.fingerprint(),
        configuration=chosen.name,
        training_log=log,
        evaluation=evaluation,
        images={row.case: row.images[0] for row in rows},
        references=_references(home, evaluation),
        predictions={row.case: row.output for row in rows if row.output is not None},
        environment=environment(),
    )


def _found_nuclei(
    home: PlanFolder, chosen: Configuration, shown: Path, rows: Sequence[CasePrediction]
) -> dict[str, FoundNuclei] | dict[str, FoundVolume]:
    """What a validation or ``medarch predict`` has written, of images with a reference."""
    from medarch.io.nuclei.output_names import LABELS, VOLUME_LABELS
    from medarch.reporting.nuclei.found_nuclei import FoundNuclei
    from medarch.reporting.nuclei.found_volume import FoundVolume

    cases = {case.id: case for case in (*home.dataset.cases, *home.dataset.test_cases) if case.label is not None}
    labels = LABELS if chosen.network.dim == 2 else VOLUME_LABELS
    places = {row.case: row.output.parent / labels for row in rows if row.output is not None}
    places = places or {path.stem: path for path in shown.glob("*.npz")}
    if chosen.network.dim == 3:
        recipe = chosen.preprocessing
        return {name: FoundVolume(cases[name], path, recipe) for name, path in places.items() if name in cases}
    return {name: FoundNuclei(cases[name], path) for name, path in places.items() if name in cases}


def _references(home: PlanFolder, evaluation: Evaluation | None) -> dict[str, Path]:
    known = {case.id: case.label for case in home.dataset.cases if case.label is not None}
    folder = Path(evaluation.references) if evaluation is not None else None
    if folder is not None and folder.is_dir():
        from medarch.io.suffix import split_suffix

        known |= {split_suffix(path)[0]: path for path in folder.iterdir() if path.is_file()}
    return known
