"""Models on the engines that suit a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.plan import Device
from medarch.inference.case_bytes import network_shape
from medarch.inference.choose_engine import choose_engine
from medarch.inference.engines.load_engine import ENGINES
from medarch.inference.ensemble import Ensemble
from medarch.inference.ledger import recorded_settings
from medarch.inference.load_model import Model
from medarch.inference.prediction_options import PredictionOptions
from medarch.inference.prepare_input import prepare_input
from medarch.inference.tile_grid import TileGrid
from medarch.inference.window import Window
from medarch.io.read_geometry import read_geometry

CASES_TRIED = 3
"""If the first case cannot be read, the next may be."""
log = logging.getLogger(__name__)


def fit_engines(
    ensemble: Ensemble,
    cases: Sequence[Case],
    output: Path,
    *,
    options: PredictionOptions,
    device: Device,
    precision: str = "auto",
) -> Ensemble:
    """Put each model on the engine that ``output`` was begun with, or else on the fastest with float32's labels.

    Cascades keep the engines they were loaded with: what their second stage sees is there only after the first.

    Args:
        ensemble: the models as loaded.
        cases: to be predicted.
        output: folder of the predictions.
        options: of the run.
        device: what the models are on.
        precision: ``auto``, or the only one wanted.
    """
    begun = None if options.restart else _begun_with(output, ensemble)
    models = []
    for number, model in enumerate(ensemble.models):
        if begun is not None:
            models.append(model.with_engine(begun[number]))
        elif model.configuration.previous_stage is not None:
            models.append(model)
        else:
            models.append(model.with_engine(_chosen(model, cases, options, device, precision)))
    return replace(ensemble, models=tuple(models))


def _begun_with(output: Path, ensemble: Ensemble) -> list[str] | None:
    settings = recorded_settings(output)
    if settings is None or settings.get("model_sha256") != ensemble.sha256:
        return None
    members = [json.loads(member) for member in settings["members"]] if "members" in settings else [settings]
    names = [str(member.get("engine")) for member in members]
    return names if all(name in ENGINES for name in names) else None


def _chosen(model: Model, cases: Sequence[Case], options: PredictionOptions, device: Device, precision: str) -> str:
    window = options.window(model.configuration)

    def sample() -> np.ndarray | None:
        for case in cases[:CASES_TRIED]:
            try:
                return prepare_input(model, case).arrays.image
            except MedarchError:
                continue  # the run itself will tell
        return None

    tiles = sum(_tiles(model, case, window) for case in cases)
    passes = tiles * len(window.flips) * len(model.networks)
    return choose_engine(model, sample, window, passes=passes, device=device, precision=precision)


def _tiles(model: Model, case: Case, window: Window) -> int:
    try:
        return TileGrid.of(network_shape(read_geometry(case.images[0])[0], model.configuration), window).count
    except MedarchError:
        return 0
