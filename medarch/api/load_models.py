"""The model or models that a path on the command line means, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medarch.api.find_model import SELECTION, find_model
from medarch.core.selection import Selection

if TYPE_CHECKING:
    from medarch.inference.ensemble import Ensemble


def load_models(
    model: Path,
    *,
    folds: Sequence[str] | None,
    device: str,
    precision: str,
    engine: str = "auto",
    fast: bool = False,
    previous_stage: bool = True,
) -> Ensemble:
    """Load a model folder, or the members of a ``selection.json``.

    Args:
        model: model folder, the plan folder it lies in, or a selection.
        folds: which; default all trained, or those of the selection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: see :func:`medarch.inference.load_model.load_model`.
        engine: the same.
        fast: only the first of the folds, where none are given.
        previous_stage: load a cascade's earlier stage, too.
    """
    from medarch.inference.ensemble import Ensemble
    from medarch.inference.load_model import load_model
    from medarch.inference.model_folder import ModelInfo
    from medarch.planning.detect_device import detect_device

    postprocessing = None
    folders, default = [find_model(model)], None
    if model.name == SELECTION and model.is_file():
        chosen = Selection.load(model)
        folders, default = [model.parent / name / "model" for name in chosen.winner], chosen.folds
        postprocessing = chosen.postprocessing
    kind = detect_device(device).kind
    given: dict[str, Any] = {"device": kind, "precision": precision, "engine": engine}
    members = []
    for folder in folders:
        wanted = folds or default
        if fast and not folds:
            wanted = (wanted or ModelInfo.load(folder / "model.json").folds)[:1]
        members.append(load_model(folder, folds=wanted, previous_stage=previous_stage, **given))
    return Ensemble(tuple(members), members[0].postprocessing if postprocessing is None else postprocessing)
