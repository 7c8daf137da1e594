"""What a prediction would cost on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.api.find_model import find_model
from medarch.api.load_models import load_models
from medarch.core.errors import UsageError
from medarch.core.plan import Plan
from medarch.core.prediction import CaseEstimate


def estimate_prediction(
    model: Path,
    source: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    mirror: bool | None = None,
    step: float | None = None,
    fast: bool = False,
    probabilities: bool = False,
    mpp: float | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    tissue: bool = True,
) -> tuple[CaseEstimate, ...]:
    """Predict seconds and peak memory of each case; arguments as in :func:`medarch.api.predict`.

    Raises:
        UsageError: the model is neither one of a segmentation task nor one of nuclei.
    """
    from medarch.inference.estimate_cases import estimate_cases
    from medarch.inference.prediction_options import PredictionOptions
    from medarch.io.find_inputs import find_inputs

    folder = find_model(model)
    if (folder / "nuclei.json").is_file():
        from medarch.core.nuclei_settings import NucleiSettings
        from medarch.inference.nuclei.estimate_slides import estimate_slides
        from medarch.inference.nuclei.estimate_volumes import estimate_volumes
        from medarch.inference.nuclei.model_files import load_nuclei_model
        from medarch.inference.nuclei.slide_options import SlideOptions
        from medarch.io.slides.find_slides import find_slides
        from medarch.planning.detect_device import detect_device

        network = NucleiSettings.load(folder / "nuclei.json").network
        if network.dim == 3:
            volumes = find_inputs(source, channels=network.in_channels)
            return estimate_volumes(
                load_nuclei_model(folder, device=detect_device(device).kind, precision=precision), volumes
            )
        slides = find_slides(source)
        nuclei = load_nuclei_model(folder, device=detect_device(device).kind, precision=precision)
        chosen = SlideOptions.chosen(mpp=mpp, chunk=chunk, workers=workers, tissue=tissue, restart=False)
        return estimate_slides(nuclei, slides, options=chosen)
    plan = Plan.load(folder / "plan.json")
    if plan.task != "segmentation":
        raise UsageError("no estimate for this task", expected="a segmentation model", found=plan.task)
    cases = find_inputs(source, channels=len(plan.channels))
    loaded = load_models(model, folds=folds, device=device, precision=precision, engine=engine, fast=fast)
    options = PredictionOptions.chosen(mirror=mirror, step=step, fast=fast, probabilities=probabilities)
    return estimate_cases(loaded.models, cases, options=options)
