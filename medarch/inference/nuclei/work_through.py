"""Many slides or volumes: a bad one costs only itself, a killed run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.failed_case import failed_case
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.nuclei.nuclei_model import NucleiModel

Work = Callable[[str], tuple[Path, dict[str, int]]]
"""Finds the nuclei of one item; returns the file to remember it by, and the number of nuclei of each class."""


def work_through(
    model: NucleiModel,
    items: Mapping[str, tuple[Path, ...]],
    output: Path,
    work: Work,
    *,
    settings: dict[str, Any],
    restart: bool,
    finish: Callable[[str], None] = lambda _: None,
) -> Prediction:
    """Do what is not done yet, and keep a ledger.

    Args:
        model: what predicts.
        items: files by name.
        output: folder of ``ledger.jsonl`` and ``predictions.json``.
        work: on one item.
        settings: what must be equal for the folder to be gone on with.
        restart: do everything again.
        finish: called with the name of each item that stands in the ledger.

    Raises:
        PredictionError: ``output`` holds predictions of another model or other settings.
    """
    ledger = Ledger(output, settings)
    rows = {}
    with folder_lock(output):
        remove_leftovers(output)
        done = ledger.open(restart=restart)
        for name, paths in items.items():
            if name in done:
                rows[name] = done[name].model_copy(update={"status": "skipped"})
            else:
                remove_leftovers(output / name)
                rows[name] = _row(name, paths, work)
                ledger.add(rows[name])
            if rows[name].status != "failed":
                finish(name)
        prediction = Prediction(
            model=model.folder, model_sha256=model.sha256, settings=settings, cases=tuple(rows[name] for name in items)
        )
        prediction.save(output / "predictions.json")
        return prediction


def _row(name: str, paths: tuple[Path, ...], work: Work) -> CasePrediction:
    start = time.monotonic()
    try:
        written, nuclei = work(name)
    except Exception as error:  # noqa: BLE001 - the one boundary where a batch isolates a case
        return failed_case(name, error, images=paths, seconds=time.monotonic() - start)
    return CasePrediction(
        case=name,
        status="done",
        images=paths,
        output=written,
        output_sha256=file_sha256(written),
        seconds=time.monotonic() - start,
        nuclei=nuclei,
    )
