"""Many cases: reading, network and writing overlap; a bad case costs only itself; a killed run goes on."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError, ModelError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.plan import Configuration
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.ensemble import Ensemble
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.load_model import PREVIOUS_STAGE, Model
from medarch.inference.output_file import output_file
from medarch.inference.predict_case import CaseResult, predict_labels, predict_logits
from medarch.inference.prepare_input import prepare_input
from medarch.inference.previous_stage import FinishedLabels, PreviousStage
from medarch.inference.window import Window
from medarch.io.write_volume import write_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.tasks.apply_postprocessing import apply_postprocessing

PROBABILITIES = "probabilities"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictionOptions:
    """What a user may choose at prediction time."""

    mirror: bool = True
    step: float | None = None
    """Distance of tiles as a share of the patch; default the plan's."""
    probabilities: bool = False
    postprocess: bool = True
    """Do what the model's cross-validation found worth doing to label maps."""
    keep_previous_stage: bool = False
    """Write what a cascade's earlier stage says into ``previous_stage/`` of the output folder."""
    restart: bool = False
    """Predict every case again, whatever the output folder holds."""


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
    with folder_lock(output):
        for folder in (output, output / PROBABILITIES, output / PREVIOUS_STAGE):
            remove_leftovers(folder)
        done = ledger.open(restart=options.restart)
        rows: dict[str, CasePrediction] = {}
        for case in cases:
            if case.id in done:
                rows[case.id] = done[case.id].model_copy(update={"status": "skipped"})
        todo = [case for case in cases if case.id not in done]
        run = _Run(ensemble, output, options, store, previous, Lock())
        for row in run.predict(todo):
            ledger.add(row)
            rows[row.case] = row
            log.info("%s: %s in %.1f s", row.case, row.status, row.seconds)
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


def _window(configuration: Configuration, options: PredictionOptions) -> Window:
    return Window(
        patch=configuration.patch_voxels,
        step=options.step or configuration.inference.step,
        mirror_axes=configuration.inference.mirror_axes if options.mirror else (),
    )


def _settings(ensemble: Ensemble, options: PredictionOptions, previous: FinishedLabels | None) -> dict[str, Any]:
    """What must be equal for an output folder to be gone on with."""
    members = [_member_settings(model, options, previous) for model in ensemble.models]
    if len(members) == 1:
        settings = members[0]
    else:
        settings = {"model_sha256": ensemble.sha256, "members": [json.dumps(member) for member in members]}
    settings["probabilities"] = options.probabilities
    if ensemble.postprocessing.steps:
        settings["postprocessing"] = str(ensemble.postprocessing) if options.postprocess else "none"
    return settings


def _member_settings(model: Model, options: PredictionOptions, previous: FinishedLabels | None) -> dict[str, Any]:
    window = _window(model.configuration, options)
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


@dataclass(frozen=True)
class _Run:
    """What all cases of a run share."""

    ensemble: Ensemble
    output: Path
    options: PredictionOptions
    store: CaseStore | None
    finished: FinishedLabels | None
    device: Lock

    def predict(self, cases: Sequence[Case]) -> Iterator[CasePrediction]:
        """Three stages, each one case ahead of the next: read and prepare, networks, restore and write."""
        with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
            coming: Future[list[PreparedArrays]] | None = None
            leaving: Future[CasePrediction] | None = None
            for index, case in enumerate(cases):
                started = time.monotonic()
                ready = coming or reader.submit(self._prepare, case)
                coming = reader.submit(self._prepare, cases[index + 1]) if index + 1 < len(cases) else None
                finishing: Future[CasePrediction] | None = None
                failure: CasePrediction | None = None
                try:
                    prepared = ready.result()
                    with self.device:
                        found = self._ask(prepared)
                    finishing = writer.submit(self._finish, case, found, prepared, started=started)
                except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
                    failure = _failed(case, error, started)
                if leaving is not None:
                    yield leaving.result()
                leaving = finishing
                if failure is not None:
                    yield failure
            if leaving is not None:
                yield leaving.result()

    def _prepare(self, case: Case) -> list[PreparedArrays]:
        return [
            prepare_input(model, case, store=self.store, previous=self._previous_stage(model))
            for model in self.ensemble.models
        ]

    def _previous_stage(self, model: Model) -> PreviousStage | None:
        if model.configuration.previous_stage is None:
            return None
        window = None if model.previous is None else _window(model.previous.configuration, self.options)
        keep = self.output / PREVIOUS_STAGE if self.options.keep_previous_stage else None
        return PreviousStage(model, self.finished, window, keep, self.device)

    def _ask(self, prepared: Sequence[PreparedArrays]) -> CaseResult | list[np.ndarray]:
        """A finished label map where that is all that is wanted; else each model's logits."""
        models = [(model, _window(model.configuration, self.options)) for model in self.ensemble.models]
        if len(models) == 1 and not self.options.probabilities:
            model, window = models[0]
            return CaseResult(predict_labels(model, prepared[0], window=window), None)
        return [
            predict_logits(model, arrays, window=window)
            for (model, window), arrays in zip(models, prepared, strict=True)
        ]

    def _finish(
        self, case: Case, found: CaseResult | list[np.ndarray], prepared: list[PreparedArrays], *, started: float
    ) -> CasePrediction:
        try:
            geometry = prepared[0].record.geometry
            result = (
                found
                if isinstance(found, CaseResult)
                else self.ensemble.restore(found, prepared, probabilities=self.options.probabilities)
            )
            steps = self.ensemble.postprocessing.steps if self.options.postprocess else ()
            labels = apply_postprocessing(result.labels, steps)
            target = output_file(self.output, case)
            write_volume(target, labels, geometry, like=case.images[0])
            shares = None
            if result.probabilities is not None:
                shares = output_file(self.output / PROBABILITIES, case)
                write_volume(shares, result.probabilities, geometry, like=case.images[0])
            return CasePrediction(
                case=case.id,
                status="done",
                images=case.images,
                output=target,
                output_sha256=file_sha256(target),
                probabilities=shares,
                seconds=round(time.monotonic() - started, 3),
                voxels=_count(self.ensemble.models[0], labels),
            )
        except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
            return _failed(case, error, started)


def _count(model: Model, labels: np.ndarray) -> dict[str, int]:
    scheme = model.plan.labels
    # Plane by plane: bincount makes eight bytes of every voxel.
    counts = np.zeros(scheme.values[-1] + 1, dtype=np.int64)
    for plane in np.moveaxis(labels, -1, 0):
        counts += np.bincount(plane.ravel(), minlength=len(counts))
    return {name: int(counts[list(scheme.members(name))].sum()) for name in scheme.foreground_names}


def _failed(case: Case, error: Exception, started: float) -> CasePrediction:
    message = str(error) if isinstance(error, MedarchError) else f"{type(error).__name__}: {error}"
    log.warning("case %s failed: %s", case.id, message)
    return CasePrediction(
        case=case.id,
        status="failed",
        images=case.images,
        seconds=round(time.monotonic() - started, 3),
        error=message,
    )
