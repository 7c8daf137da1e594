"""Many cases: reading, network and writing overlap; a bad case costs only itself; a killed run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.load_model import Model
from medarch.inference.predict_case import predict_logits, restore_case
from medarch.inference.sliding_window import Window
from medarch.io.read_case import read_case
from medarch.io.suffix import is_volume_file
from medarch.io.write_volume import write_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays, prepare_case
from medarch.preprocessing.recipe_sha256 import recipe_sha256

PROBABILITIES = "probabilities"
OUTPUT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictionOptions:
    """What a user may choose at prediction time."""

    mirror: bool = True
    step: float | None = None
    """Distance of tiles as a share of the patch; default the plan's."""
    probabilities: bool = False
    restart: bool = False
    """Predict every case again, whatever the output folder holds."""


def predict_cases(
    model: Model,
    cases: Sequence[Case],
    output: Path,
    *,
    options: PredictionOptions,
    store: CaseStore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Predict cases into ``output/CASE.suffix``, each on its own input grid, and keep a ledger beside them.

    Args:
        model: the networks.
        cases: what to predict.
        output: folder.
        options: what the user chose.
        store: prepared cases, just checked against their files; a case in it is not read and prepared again.
        progress: called with the number of cases done and of all.

    Raises:
        PredictionError: ``output`` holds predictions of another model or other settings.
    """
    window = Window(
        patch=model.configuration.patch_voxels,
        step=options.step or model.configuration.inference.step,
        mirror_axes=model.configuration.inference.mirror_axes if options.mirror else (),
    )
    settings = {
        "model_sha256": model.sha256,
        "precision": str(model.dtype).removeprefix("torch."),
        "step": window.step,
        "mirror_axes": list(window.mirror_axes),
        "probabilities": options.probabilities,
    }
    ledger = Ledger(output, settings)
    with folder_lock(output):
        for folder in (output, output / PROBABILITIES):
            remove_leftovers(folder)
        done = ledger.open(restart=options.restart)
        rows: dict[str, CasePrediction] = {}
        for case in cases:
            if case.id in done:
                rows[case.id] = done[case.id].model_copy(update={"status": "skipped"})
        todo = [case for case in cases if case.id not in done]
        for row in _run(model, todo, output, window=window, probabilities=options.probabilities, store=store):
            ledger.add(row)
            rows[row.case] = row
            log.info("%s: %s in %.1f s", row.case, row.status, row.seconds)
            if progress is not None:
                progress(len(rows), len(cases))
        prediction = Prediction(
            model=model.folder,
            model_sha256=model.sha256,
            settings={**settings, "mirror_axes": tuple(map(str, window.mirror_axes))},  # type: ignore[arg-type]
            cases=tuple(rows[case.id] for case in cases),
        )
        prediction.save(output / "predictions.json")
        return prediction


def _run(
    model: Model, cases: Sequence[Case], output: Path, *, window: Window, probabilities: bool, store: CaseStore | None
) -> Iterator[CasePrediction]:
    """Three stages, each one case ahead of the next: read and prepare, network, restore and write."""
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        coming: Future[PreparedArrays] | None = None
        leaving: Future[CasePrediction] | None = None
        for index, case in enumerate(cases):
            started = time.monotonic()
            ready = coming or reader.submit(_prepare, model, case, store)
            coming = reader.submit(_prepare, model, cases[index + 1], store) if index + 1 < len(cases) else None
            finishing: Future[CasePrediction] | None = None
            failure: CasePrediction | None = None
            try:
                prepared = ready.result()
                logits = predict_logits(model, prepared, window=window)
                finishing = writer.submit(
                    _finish, model, case, logits, prepared, output=output, probabilities=probabilities, started=started
                )
            except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
                failure = _failed(case, error, started)
            if leaving is not None:
                yield leaving.result()
            leaving = finishing
            if failure is not None:
                yield failure
        if leaving is not None:
            yield leaving.result()


def _prepare(model: Model, case: Case, store: CaseStore | None) -> PreparedArrays:
    prepared = None if store is None else _stored(model, case, store)
    if prepared is not None:
        return prepared
    images = Case(id=case.id, images=case.images)
    volumes = read_case(images, channels=len(model.plan.channels), waived=model.waived)
    recipe = model.configuration.preprocessing
    return prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=recipe)


def _stored(model: Model, case: Case, store: CaseStore) -> PreparedArrays | None:
    """Return a case as it lies in the store, or None if the network would see something else there.

    Statistics from inside the mask have seen the label in a training case (labelled voxels count as inside), which a
    new case cannot offer; such cases are prepared again wherever their images exist.
    """
    recipe = model.configuration.preprocessing
    masked = any(channel.inside_mask for channel in recipe.normalisation)
    if not store.path(case.id).exists() or (masked and is_volume_file(case.images[0])):
        return None
    record = store.record(case.id)
    if record.recipe_sha256 != recipe_sha256(recipe, model.plan.labels):
        return None
    return PreparedArrays(image=np.array(store.read_image(case.id)), label=None, record=record)


def _finish(
    model: Model,
    case: Case,
    logits: np.ndarray,
    prepared: PreparedArrays,
    *,
    output: Path,
    probabilities: bool,
    started: float,
) -> CasePrediction:
    try:
        result = restore_case(model, logits, prepared, probabilities=probabilities)
        source = case.images[0]
        suffix = next((suffix for suffix in OUTPUT_SUFFIXES if source.name.endswith(suffix)), ".nii.gz")
        target = output / f"{case.id}{suffix}"
        geometry = prepared.record.geometry
        write_volume(target, result.labels, geometry, like=source)
        shares = None
        if result.probabilities is not None:
            shares = output / PROBABILITIES / f"{case.id}{suffix}"
            write_volume(shares, result.probabilities, geometry, like=source)
        return CasePrediction(
            case=case.id,
            status="done",
            images=case.images,
            output=target,
            output_sha256=file_sha256(target),
            probabilities=shares,
            seconds=round(time.monotonic() - started, 3),
            voxels=_count(model, result.labels),
        )
    except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
        return _failed(case, error, started)


def _count(model: Model, labels: np.ndarray) -> dict[str, int]:
    scheme = model.plan.labels
    counts = np.bincount(labels.ravel(), minlength=scheme.values[-1] + 1)
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
