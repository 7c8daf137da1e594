"""Many slides: a bad one costs only itself, a killed run goes on."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medarch.core.durations import spoken
from medarch.core.errors import UsageError
from medarch.core.prediction import Prediction
from medarch.inference.nuclei.find_nuclei import find_nuclei
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.slide_options import SlideOptions
from medarch.inference.nuclei.slide_warnings import slide_warnings
from medarch.inference.nuclei.work_through import work_through
from medarch.inference.nuclei.write_outputs import write_outputs
from medarch.io.nuclei.output_names import GEOJSON, SUMMARY
from medarch.io.nuclei.slide_summary import SlideSummary
from medarch.io.slides.open_slide import open_slide
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import tissue_mask, whole_slide

log = logging.getLogger(__name__)

WORK = ".work"
"""In a slide's output folder while the slide is under way."""
SMALLEST_CHUNK = 64


def predict_slides(
    model: NucleiModel,
    slides: Mapping[str, Path],
    output: Path,
    *,
    options: SlideOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Find the nuclei of slides; write them into ``output/SLIDE/`` and keep a ledger beside them.

    Args:
        model: network and constants.
        slides: file, or folder of a DICOM slide, by name.
        output: folder.
        options: what the user chose.
        progress: called with network tiles done and all, of the slide under way.

    Raises:
        PredictionError: ``output`` holds predictions of another model or other settings.
        UsageError: the chunks are too small.
    """
    if options.chunk < SMALLEST_CHUNK:
        raise UsageError(
            "chunks too small", expected=f"at least {SMALLEST_CHUNK} pixels", found=str(options.chunk), fix="use 1024"
        )
    settings: dict[str, Any] = {
        "model_sha256": model.sha256,
        "precision": str(model.network.dtype).removeprefix("torch."),
        "mpp": options.mpp,
        "tissue": options.tissue,
    }

    def work(name: str) -> tuple[Path, dict[str, int]]:
        start = time.monotonic()
        summary = _predict(model, slides[name], output / name, settings, options, progress)
        seconds = spoken(time.monotonic() - start)
        for warning in summary.warnings:
            log.warning("%s: %s", name, warning)
        log.info("%s: %d nuclei on %.3g mm² of tissue in %s", name, summary.nuclei, summary.tissue_mm2, seconds)
        return output / name / GEOJSON, summary.classes

    return work_through(
        model,
        {name: (path,) for name, path in slides.items()},
        output,
        work,
        settings=settings,
        restart=options.restart,
        # Only once it stands in the ledger: what does not would have to be done again.
        finish=lambda name: shutil.rmtree(output / name / WORK, ignore_errors=True),
    )


def _predict(
    model: NucleiModel,
    path: Path,
    folder: Path,
    settings: dict[str, Any],
    options: SlideOptions,
    progress: Callable[[int, int], None] | None,
) -> SlideSummary:
    with open_slide(path, mpp=options.mpp, reader=options.reader) as slide:
        work = _work_folder(folder, path, settings, restart=options.restart)
        view = SlideView(slide, model.network.mpp)
        tissue = tissue_mask(slide) if options.tissue else whole_slide(slide)
        found = find_nuclei(
            view,
            tissue,
            model.network,
            model.separation,
            work,
            chunk=options.chunk,
            workers=options.workers,
            progress=progress,
        )
        warnings = slide_warnings(view, tissue, found, model.network.mpp)
        return write_outputs(folder, view, tissue, found, model.names, model_sha256=model.sha256, warnings=warnings)


def _work_folder(folder: Path, path: Path, settings: dict[str, Any], *, restart: bool) -> Path:
    """What a killed run left is gone on with only if slide, model and settings are the same."""
    status = path.stat()
    identity = f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {sorted(settings.items())}"
    work = folder / WORK / hashlib.sha256(identity.encode()).hexdigest()[:16]
    for other in (folder / WORK).glob("*"):
        if restart or other != work:
            shutil.rmtree(other)
    (folder / SUMMARY).unlink(missing_ok=True)  # it is written last: where there is one, all is there
    work.mkdir(parents=True, exist_ok=True)
    return work
