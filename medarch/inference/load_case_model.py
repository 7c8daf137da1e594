"""A trained network that sees cases whole, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError
from medarch.core.plan import Configuration, Plan
from medarch.inference.engines.use_onednn import use_onednn
from medarch.inference.ledger import file_sha256
from medarch.inference.load_network import load_network
from medarch.inference.model_folder import read_model_folder, weights_name
from medarch.tasks.create_task import create_task
from medarch.tasks.task import Task

TaskT_co = TypeVar("TaskT_co", bound=Task, covariant=True)


@dataclass(frozen=True)
class CaseModel(Generic[TaskT_co]):
    """Networks of one configuration, one a fold, in evaluation mode on one device.

    They compute in float32: a case is a single pass, and probabilities and fields deserve their digits.
    """

    folder: Path
    sha256: str
    plan: Plan
    configuration: Configuration
    task: TaskT_co
    networks: tuple[nn.Module, ...]
    device: torch.device
    waived: tuple[str, ...] = ()
    """Check codes that were waived for the training data and so hold for new cases too."""


def load_case_model(
    folder: Path, kind: type[TaskT_co], *, folds: Sequence[str] | None = None, device: str = "cpu"
) -> CaseModel[TaskT_co]:
    """Read a model folder of a task that sees cases whole.

    Args:
        folder: written by :func:`medarch.api.train`.
        kind: the task.
        folds: which of its folds; default all.
        device: ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ModelError: files are missing, weights do not fit the plan, or the model is of another task.
    """
    contents = read_model_folder(folder, folds)
    task = create_task(contents.plan, contents.configuration)
    if not isinstance(task, kind):
        raise ModelError(f"{folder} is of another task", expected=kind.name, found=contents.plan.task)
    digest = hashlib.sha256(contents.plan.sha256().encode())
    networks = []
    for fold in contents.folds:
        path = folder / weights_name(fold)
        network = load_network(path, task).to(device)
        if device == "cpu":
            use_onednn(network)
        networks.append(network)
        digest.update(file_sha256(path).encode())
    record = folder / "dataset.json"
    return CaseModel(
        folder,
        digest.hexdigest(),
        contents.plan,
        contents.configuration,
        task,
        tuple(networks),
        torch.device(device),
        Dataset.load(record).waived if record.exists() else (),
    )
