"""The nuclei of volumes, each of which fits into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.plan import PreprocessingPlan
from medarch.core.prediction import Prediction
from medarch.inference.nuclei.image_maps import image_maps
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.volume_recipe import volume_recipe
from medarch.inference.nuclei.work_through import work_through
from medarch.inference.nuclei.write_volume_outputs import VolumeNuclei, write_volume_outputs
from medarch.io.nuclei.output_names import VOLUME_LABELS
from medarch.io.nuclei.read_nuclei import read_volume_of_nuclei
from medarch.io.nuclei.volume_summary import VolumeSummary
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.restore import restore_labels
from medarch.tasks.nuclei.classify_nuclei import classify_nuclei
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

COARSE = 1.5
"""Voxels so many times as long as those a model was trained at are told of."""
log = logging.getLogger(__name__)


def predict_volumes(
    model: NucleiModel,
    cases: Sequence[Case],
    output: Path,
    *,
    restart: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Find the nuclei of volumes; write them into ``output/CASE/`` and keep a ledger beside them.

    The network runs on one grid of tiles from the volume's first voxel, of a size that is stored with the model; its
    maps of the whole volume are held in memory and separated at once. (Slides are separated part by part, because they
    do not fit into memory; the rules of :mod:`~medarch.inference.nuclei.separate_chunk` about outlines, rows of pixels
    and lattices are those of planes.) So there are no seams, and nothing depends on how the work is divided.

    Args:
        model: network and constants.
        cases: what to predict.
        output: folder.
        restart: predict every volume again.
        progress: called with network tiles done and all, of the volume under way.

    Raises:
        PredictionError: ``output`` holds predictions of another model or other settings.
        ModelError: the model is none of volumes.
    """
    recipe = volume_recipe(model)
    by_name = {case.id: case for case in cases}

    def work(name: str) -> tuple[Path, dict[str, int]]:
        summary = _predict(model, recipe, by_name[name], output / name, progress)
        for warning in summary.warnings:
            log.warning("%s: %s", name, warning)
        log.info("%s: %d nuclei", name, summary.nuclei)
        return output / name / VOLUME_LABELS, summary.classes

    settings = {"model_sha256": model.sha256, "precision": str(model.network.dtype).removeprefix("torch.")}
    items = {case.id: case.images for case in cases}
    return work_through(model, items, output, work, settings=settings, restart=restart)


def _predict(
    model: NucleiModel,
    recipe: PreprocessingPlan,
    case: Case,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> VolumeSummary:
    volumes, _ = read_volume_of_nuclei(Case(id=case.id, images=case.images), channels=len(recipe.normalisation))
    prepared = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=recipe)
    record = prepared.record
    maps = image_maps(model.network, np.moveaxis(prepared.image, 0, -1), progress=progress)
    dim = len(model.network.window)
    nuclei = separate_nuclei(maps[0], maps[1 : 1 + dim], model.separation)
    inside = np.flatnonzero(nuclei)
    numbers = nuclei.ravel()[inside]
    areas = np.bincount(numbers)[1:]
    sums = np.bincount(numbers, maps[0].ravel()[inside])[1:]
    kinds, shares = np.zeros(len(areas), int), np.empty((len(areas), 0))
    if model.names:
        kinds, shares = classify_nuclei(nuclei, maps[1 + dim :])
    labels = restore_labels(nuclei, record)
    # A nucleus may be too small for the file's grid.
    kept = np.unique(labels)
    kept = kept[kept > 0]
    renumbered = np.zeros(len(areas) + 1, np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    found = VolumeNuclei(
        labels=renumbered[labels],
        probability=(sums / np.maximum(areas, 1))[kept - 1],
        kinds=kinds[kept - 1],
        shares=shares[kept - 1],
    )
    return write_volume_outputs(
        folder, found, volumes.geometry, case, model.names, network_mm=record.spacing_mm,
        warnings=_warnings(record.cropped_spacing_mm, record.spacing_mm, len(kept)),
    )  # fmt: skip


def _warnings(file_mm: Sequence[float], network_mm: Sequence[float], nuclei: int) -> tuple[str, ...]:
    told = []
    if any(found > COARSE * trained for found, trained in zip(file_mm, network_mm, strict=True)):
        told.append(
            f"voxels of {'×'.join(f'{length:.4g}' for length in file_mm)} mm along the network's axes, the model was "
            f"trained at {'×'.join(f'{length:.4g}' for length in network_mm)}: what they do not show was interpolated"
        )
    if not nuclei:
        told.append("no nuclei: is this the kind of image that the model was trained on?")
    return tuple(told)
