"""From a model and images to label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.find_model import find_model
from medarch.api.progress import Progress
from medarch.core.plan import Plan

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
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Predict a file, a folder or a manifest; see :func:`medarch.inference.predict_cases.predict_cases`."""
    from medarch.inference.load_model import load_model
    from medarch.inference.predict_cases import PredictionOptions, predict_cases
    from medarch.io.find_inputs import find_inputs
    from medarch.planning.detect_device import detect_device

    folder = find_model(model)
    # Inputs first: a wrong path is told before torch has loaded the weights.
    channels = len(Plan.load(folder / "plan.json").channels)
    cases = find_inputs(source, channels=channels)
    loaded = load_model(folder, folds=folds, device=detect_device(device).kind, precision=precision)
    options = PredictionOptions(mirror=mirror, step=step, probabilities=probabilities, restart=restart)
    return predict_cases(loaded, cases, output, options=options, progress=progress)
