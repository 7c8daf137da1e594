"""From a model and images to label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.find_model import SELECTION, find_model
from medarch.api.progress import Progress
from medarch.core.plan import Plan
from medarch.core.selection import Selection

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction


def predict(
    model: Path,
    source: Path,
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    mirror: bool = True,
    step: float | None = None,
    probabilities: bool = False,
    postprocess: bool = True,
    previous_stage_predictions: Path | None = None,
    keep_previous_stage: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Predict a file, a folder or a manifest; see :func:`medarch.inference.predict_cases.predict_cases`.

    Args:
        model: model folder, the plan folder it lies in, or a ``selection.json`` (one model or an ensemble).
        source: file, folder or manifest.
        output: folder.
        folds: which to average; default all trained, or those of the selection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``float32``, ``bf16`` or ``fp16``.
        mirror: average over mirrored copies.
        step: distance of tiles as a share of the patch.
        probabilities: also write class probabilities.
        postprocess: do what cross-validation found worth doing to the label maps.
        previous_stage_predictions: folder of finished label maps of a cascade's earlier stage, named like the cases;
            default: predict them with the model's own earlier stage.
        keep_previous_stage: write what the earlier stage says into ``output/previous_stage``.
        restart: predict every case again.
        progress: called with cases done and all.
    """
    from medarch.inference.ensemble import Ensemble
    from medarch.inference.load_model import Model, load_model
    from medarch.inference.predict_cases import PredictionOptions, predict_cases
    from medarch.io.find_inputs import find_inputs
    from medarch.io.find_label_maps import find_label_maps
    from medarch.planning.detect_device import detect_device

    folder = find_model(model)
    # Inputs first: a wrong path is told before torch has loaded the weights.
    channels = len(Plan.load(folder / "plan.json").channels)
    cases = find_inputs(source, channels=channels)
    previous = None if previous_stage_predictions is None else find_label_maps(previous_stage_predictions)
    kind = detect_device(device).kind

    def load(one: Path, folds: Sequence[str] | None) -> Model:
        return load_model(one, folds=folds, device=kind, precision=precision, previous_stage=previous is None)

    loaded: Model | Ensemble
    if model.name == SELECTION and model.is_file():
        chosen = Selection.load(model)
        members = [load(model.parent / name / "model", folds or chosen.folds) for name in chosen.winner]
        loaded = Ensemble(tuple(members), chosen.postprocessing)
    else:
        loaded = load(folder, folds)
    options = PredictionOptions(
        mirror=mirror,
        step=step,
        probabilities=probabilities,
        postprocess=postprocess,
        keep_previous_stage=keep_previous_stage,
        restart=restart,
    )
    return predict_cases(loaded, cases, output, options=options, previous=previous, progress=progress)
