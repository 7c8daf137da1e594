"""From a model of nuclei and volumes to nuclei: what ``predict`` does for volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction


def predict_volumes(
    model: Path,
    source: Path,
    output: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Load a model and find nuclei; see :func:`medarch.inference.nuclei.predict_volumes.predict_volumes`."""
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.inference.nuclei.model_files import load_nuclei_model
    from medarch.inference.nuclei.predict_volumes import predict_volumes
    from medarch.io.find_inputs import find_inputs
    from medarch.planning.detect_device import detect_device

    settings = NucleiSettings.load(model / "nuclei.json")
    cases = find_inputs(source, channels=settings.network.in_channels)
    loaded = load_nuclei_model(model, device=detect_device(device).kind, precision=precision)
    return predict_volumes(loaded, cases, output, restart=restart, progress=progress)
