"""From a model of nuclei and slides to nuclei: what ``predict`` does for slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction
    from medarch.inference.nuclei.slide_options import SlideOptions


def predict_slides(
    model: Path,
    source: Path,
    output: Path,
    *,
    options: SlideOptions,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
) -> Prediction:
    """Load a model and find nuclei; see :func:`medarch.inference.nuclei.predict_slides.predict_slides`."""
    from medarch.inference.nuclei.model_files import load_nuclei_model
    from medarch.inference.nuclei.predict_slides import predict_slides
    from medarch.io.slides.find_slides import find_slides
    from medarch.planning.detect_device import detect_device

    slides = find_slides(source)  # first: a wrong path is told before weights are read
    loaded = load_nuclei_model(model, device=detect_device(device).kind, precision=precision)
    return predict_slides(loaded, slides, output, options=options, progress=progress)
