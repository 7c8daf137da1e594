"""What a model folder holds, before any weight is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medarch.core.errors import ModelError
from medarch.core.plan import Configuration, Plan
from medarch.core.record import Record


class ModelInfo(Record):
    """``model.json``: which configuration the folder holds and from which folds."""

    schema_version: Literal[1] = 1
    configuration: str
    folds: tuple[str, ...]
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    """What ``precision="auto"`` means on a CPU; imported models ask for float32, which their makers used."""


@dataclass(frozen=True)
class ModelFolder:
    """The records of a model folder, and the folds that are wanted of it."""

    info: ModelInfo
    plan: Plan
    configuration: Configuration
    folds: tuple[str, ...]


def weights_name(fold: int | str) -> str:
    """File name of one fold's weights."""
    return f"weights_fold_{fold}.safetensors"


def read_model_folder(folder: Path, folds: Sequence[str] | None = None) -> ModelFolder:
    """Read the records of a folder written by :func:`medarch.api.train`.

    Args:
        folder: the folder.
        folds: which of its folds; default all.

    Raises:
        ModelError: it is no model folder, or lacks a fold.
    """
    if not (folder / "model.json").exists():
        raise ModelError(
            f"{folder} is not a model folder",
            expected="model.json, plan.json and weights_fold_*.safetensors",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:8])
            if folder.is_dir()
            else "no such folder",
            fix="give the folder `model` that `medarch train` wrote",
        )
    info = ModelInfo.load(folder / "model.json")
    plan = Plan.load(folder / "plan.json")
    configuration = plan.configuration(info.configuration)
    chosen = tuple(folds or info.folds)
    missing = [fold for fold in chosen if fold not in info.folds]
    if missing:
        raise ModelError(
            f"the model has no fold {', '.join(missing)}",
            expected=", ".join(info.folds),
            found=", ".join(missing),
            fix="choose folds it has, or train them",
        )
    return ModelFolder(info, plan, configuration, chosen)
