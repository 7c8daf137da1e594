"""A trained registration in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError
from medarch.core.plan import Configuration, Plan
from medarch.inference.ledger import file_sha256
from medarch.inference.load_network import load_network
from medarch.inference.model_folder import read_model_folder, weights_name
from medarch.tasks.create_task import create_task
from medarch.tasks.registration.registration import Registration


@dataclass(frozen=True)
class RegistrationModel:
    """Networks of one configuration, one a fold, in evaluation mode on one device, in float32."""

    folder: Path
    sha256: str
    plan: Plan
    configuration: Configuration
    task: Registration
    networks: tuple[nn.Module, ...]
    device: torch.device
    waived: tuple[str, ...] = ()
    """Check codes that were waived for the training data and so hold for new cases too."""


def load_registration(folder: Path, *, folds: Sequence[str] | None = None, device: str = "cpu") -> RegistrationModel:
    """Read a model folder of a registration.

    Args:
        folder: written by :func:`medarch.api.train`.
        folds: which of its folds; default all.
        device: ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ModelError: files are missing, weights do not fit the plan, or the model is of another task.
    """
    contents = read_model_folder(folder, folds)
    task = create_task(contents.plan, contents.configuration)
    if not isinstance(task, Registration):
        raise ModelError(f"{folder} does not register", expected="a registration", found=contents.plan.task)
    digest = hashlib.sha256(contents.plan.sha256().encode())
    networks = []
    for fold in contents.folds:
        path = folder / weights_name(fold)
        networks.append(load_network(path, task).to(device))
        digest.update(file_sha256(path).encode())
    record = folder / "dataset.json"
    return RegistrationModel(
        folder,
        digest.hexdigest(),
        contents.plan,
        contents.configuration,
        task,
        tuple(networks),
        torch.device(device),
        Dataset.load(record).waived if record.exists() else (),
    )
