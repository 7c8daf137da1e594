"""A trained model in memory, ready to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError
from medarch.core.plan import Configuration, Plan
from medarch.core.postprocessing import Postprocessing
from medarch.core.record import Record
from medarch.inference.ledger import file_sha256
from medarch.tasks.create_task import create_task
from medarch.tasks.task import Task

PREVIOUS_STAGE = "previous_stage"
"""Where a cascade's earlier stage lies in its model folder: a complete model folder of its own."""
POSTPROCESSING = "postprocessing.json"
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class ModelInfo(Record):
    """``model.json``: which configuration the folder holds and from which folds."""

    schema_version: Literal[1] = 1
    configuration: str
    folds: tuple[str, ...]
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    """What ``precision="auto"`` means on a CPU; imported models ask for float32, which their makers used."""


@dataclass(frozen=True)
class Model:
    """Networks of one configuration, one a fold, in evaluation mode on one device."""

    folder: Path
    sha256: str
    plan: Plan
    configuration: Configuration
    task: Task
    networks: tuple[nn.Module, ...]
    device: torch.device
    dtype: torch.dtype
    waived: tuple[str, ...] = ()
    """Check codes that were waived for the training data and so hold for new cases too."""
    previous: Model | None = None
    """The earlier stage of a cascade."""
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    """What cross-validation found worth doing to the label maps."""


def weights_name(fold: int | str) -> str:
    """File name of one fold's weights."""
    return f"weights_fold_{fold}.safetensors"


def load_model(
    folder: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "cpu",
    precision: str = "auto",
    previous_stage: bool = True,
) -> Model:
    """Read a model folder written by :func:`medarch.api.train`.

    Args:
        folder: the folder.
        folds: which of its folds; default all. The earlier stage of a cascade uses the same folds if it has them, else
            all of its own.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bf16``, ``fp16`` or ``auto`` (fp16 on CUDA; bf16 on CPUs that compute it; else
            float32).
        previous_stage: load the earlier stage of a cascade, too, where it lies in the folder.

    Raises:
        ModelError: files are missing, or weights do not fit the plan.
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
    task = create_task(plan, configuration)
    dtype = _dtype(info.precision if precision == "auto" and device == "cpu" else precision, device)
    target = torch.device(device)
    digest = hashlib.sha256(plan.sha256().encode())
    networks = []
    for fold in chosen:
        path = folder / weights_name(fold)
        digest.update(_file_sha256(path))
        networks.append(_load_network(path, task, device=target, dtype=dtype))
    record = folder / "dataset.json"
    waived = Dataset.load(record).waived if record.exists() else ()
    previous = None
    if previous_stage and configuration.previous_stage is not None and (folder / PREVIOUS_STAGE).is_dir():
        previous = _load_previous(folder / PREVIOUS_STAGE, plan, folds, device=device, precision=precision)
        digest.update(previous.sha256.encode())
    steps = folder / POSTPROCESSING
    return Model(
        folder,
        digest.hexdigest(),
        plan,
        configuration,
        task,
        tuple(networks),
        target,
        dtype,
        waived,
        previous,
        Postprocessing.load(steps) if steps.exists() else Postprocessing(),
    )


def _load_previous(folder: Path, plan: Plan, folds: Sequence[str] | None, *, device: str, precision: str) -> Model:
    has = ModelInfo.load(folder / "model.json").folds
    same = folds if folds is not None and set(folds) <= set(has) else None
    previous = load_model(folder, folds=same, device=device, precision=precision)
    if previous.plan.labels != plan.labels or previous.plan.channels != plan.channels:
        raise ModelError(
            f"{folder} is not the earlier stage of this cascade",
            expected=f"channels {', '.join(plan.channels)} and labels {plan.labels.labels}",
            found=f"channels {', '.join(previous.plan.channels)} and labels {previous.plan.labels.labels}",
            fix="copy the model of the same dataset there",
        )
    return previous


def _load_network(path: Path, task: Task, *, device: torch.device, dtype: torch.dtype) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        with torch.device("meta"):
            network = task.build_network()
        network.load_state_dict(state, assign=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(
            f"cannot load the weights {path}",
            expected="weights of the network in plan.json",
            found=str(error)[:500],
            fix="copy the model folder again, complete",
        ) from error
    layout = torch.channels_last_3d if task.configuration.network.dim == 3 else torch.channels_last
    moved: nn.Module = network.to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
    return moved.eval()


def _dtype(precision: str, device: str) -> torch.dtype:
    if precision != "auto":
        if precision not in DTYPES:
            raise ModelError(
                f"unknown precision {precision!r}",
                expected="auto, " + ", ".join(DTYPES),
                found=precision,
                fix="choose one of those",
            )
        return DTYPES[precision]
    if device == "cuda":
        return torch.float16
    if device == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32


def _file_sha256(path: Path) -> bytes:
    try:
        return bytes.fromhex(file_sha256(path))
    except OSError as error:
        raise ModelError(
            f"cannot read {path}", found=str(error), fix="copy the model folder again, complete"
        ) from error
