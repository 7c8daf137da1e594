"""Many cases: reading, network and writing overlap; a bad case costs only itself; a killed run goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from medarch.core.dataset import Case
from medarch.core.errors import ModelError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.kept_memory import kept_memory
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.ensemble import Ensemble
from medarch.inference.ledger import Ledger
from medarch.inference.load_model import PREVIOUS_STAGE, Model
from medarch.inference.pipeline import PROBABILITIES, Pipeline
from medarch.inference.prediction_options import PredictionOptions
from medarch.inference.previous_stage import FinishedLabels
from medarch.preprocessing.case_store import CaseStore

log = logging.getLogger(__name__)


def predict_cases(
    model: Model | Ensemble,
    cases: Sequence[Case],
    output: Path,
    *,
    options: PredictionOptions,
    store: CaseStore | None = None,
    previous: FinishedLabels | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Predict cases into ``output/CASE.suffix``, each on its own input grid, and keep a ledger beside them.

    Args:
        model: the networks, or several models whose probabilities are averaged.
        cases: what to predict.
        output: folder.
        options: what the user chose.
        store: prepared cases, just checked against their files; a case in it is not read and prepared again.
        previous: finished label maps of a cascade's earlier stage by case; default: predict them first.
        progress: called with the number of cases done and of all.

    Raises:
        PredictionError: ``output`` holds predictions of another model or other settings.
        ModelError: a model is the second stage of a cascade, and the first is not there.
    """
    ensemble = model if isinstance(model, Ensemble) else Ensemble((model,), model.postprocessing)
    _require_previous_stage(ensemble.models, previous)
    settings = _settings(ensemble, options, previous)
    ledger = Ledger(output, settings)
    with folder_lock(output), kept_memory():
        for folder in (output, output / PROBABILITIES, output / PREVIOUS_STAGE):
            remove_leftovers(folder)
        done = ledger.open(restart=options.restart)
        rows: dict[str, CasePrediction] = {}
        for case in cases:
            if case.id in done:
                rows[case.id] = done[case.id].model_copy(update={"status": "skipped"})
        todo = [case for case in cases if case.id not in done]
        pipeline = Pipeline(ensemble, output, options, store, previous)
        for row in pipeline.predict(todo):
            noted = _noted(ledger, row)
            rows[noted.case] = noted
            log.info("%s: %s in %.1f s", noted.case, noted.status, noted.seconds)
            if progress is not None:
                progress(len(rows), len(cases))
        texts = {key: tuple(map(str, value)) for key, value in settings.items() if isinstance(value, list)}
        prediction = Prediction(
            model=ensemble.models[0].folder,
            model_sha256=ensemble.sha256,
            settings={**settings, **texts},
            cases=tuple(rows[case.id] for case in cases),
        )
        prediction.save(output / "predictions.json")
        return prediction


def _noted(ledger: Ledger, row: CasePrediction) -> CasePrediction:
    """Write a row into the ledger. What cannot be written there would be done again: it has failed."""
    try:
        ledger.add(row)
    except OSError as error:
        message = f"cannot write {ledger.path}: {error}"
        log.warning("case %s failed: %s", row.case, message)
        return row.model_copy(update={"status": "failed", "error": message})
    return row


def _settings(ensemble: Ensemble, options: PredictionOptions, previous: FinishedLabels | None) -> dict[str, Any]:
    """What must be equal for an output folder to be gone on with."""
    members = [_member_settings(model, options, previous) for model in ensemble.models]
    if len(members) == 1:
        settings = members[0]
    else:
        settings = {"model_sha256": ensemble.sha256, "members": [json.dumps(member) for member in members]}
    settings["probabilities"] = options.probabilities
    if options.region is not None:
        settings["region"] = str(options.region)
    if ensemble.postprocessing.steps:
        settings["postprocessing"] = str(ensemble.postprocessing) if options.postprocess else "none"
    return settings


def _member_settings(model: Model, options: PredictionOptions, previous: FinishedLabels | None) -> dict[str, Any]:
    window = options.window(model.configuration)
    settings: dict[str, Any] = {
        "model_sha256": model.sha256,
        "engine": model.engine,
        "precision": str(model.dtype).removeprefix("torch."),
        "step": window.step,
        "mirror_axes": list(window.mirror_axes),
    }
    if model.configuration.previous_stage is not None:
        settings["previous_stage"] = "predicted" if previous is None else "given"
    return settings


def _require_previous_stage(models: Sequence[Model], previous: FinishedLabels | None) -> None:
    cascades = [model for model in models if model.configuration.previous_stage is not None]
    if previous is not None and not cascades:
        raise ModelError(
            f"{models[0].configuration.name} has no previous stage",
            expected="a model of a cascade",
            found=str(models[0].folder),
            fix="leave --previous-stage-predictions away",
        )
    for model in cascades:
        stage = model.configuration.previous_stage
        if previous is None and model.previous is None:
            raise ModelError(
                f"{model.configuration.name} needs the labels of {stage}",
                expected=f"a complete model folder {model.folder / PREVIOUS_STAGE}",
                found="none",
                fix=f"copy the model of {stage} there, or predict with it first and give that folder with "
                "--previous-stage-predictions",
            )
