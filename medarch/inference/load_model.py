"""A trained model in memory, ready to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError, UsageError
from medarch.core.plan import Configuration, Plan
from medarch.core.postprocessing import Postprocessing
from medarch.inference.engines.engine import Engine
from medarch.inference.engines.load_engine import ENGINES, PRECISIONS, default_engine, load_engine
from medarch.inference.ledger import file_sha256
from medarch.inference.linear_head import LinearHead
from medarch.inference.load_network import load_network
from medarch.inference.model_folder import ModelInfo, read_model_folder, weights_name
from medarch.tasks.create_task import create_task
from medarch.tasks.deciding_task import DecidingTask

PREVIOUS_STAGE = "previous_stage"
"""Where a cascade's earlier stage lies in its model folder: a complete model folder of its own."""
POSTPROCESSING = "postprocessing.json"


@dataclass(frozen=True)
class Model:
    """Networks of one configuration, one a fold, and the engines that compute them on one device."""

    folder: Path
    sha256: str
    plan: Plan
    configuration: Configuration
    task: DecidingTask
    networks: tuple[nn.Module, ...]
    """As the files hold them: float32, on the CPU, in evaluation mode."""
    engines: tuple[Engine, ...]
    """All of one name, one a network."""
    head: LinearHead
    """From the features of all engines to the mean logits, on the engines' device."""
    device: torch.device
    waived: tuple[str, ...] = ()
    """Check codes that were waived for the training data and so hold for new cases too."""
    previous: Model | None = None
    """The earlier stage of a cascade."""
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    """What cross-validation found worth doing to the label maps."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the tiles that the engines take."""
        return self.engines[0].dtype

    @property
    def engine(self) -> str:
        """Name of the engines."""
        return self.engines[0].name

    def with_engine(self, name: str) -> Model:
        """The same model on other engines; an earlier stage keeps its own."""
        if name == self.engine:
            return self
        return replace(self, engines=tuple(load_engine(name, network, self.device) for network in self.networks))


def load_model(
    folder: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "cpu",
    precision: str = "auto",
    engine: str = "auto",
    previous_stage: bool = True,
) -> Model:
    """Read a model folder written by :func:`medarch.api.train`.

    Args:
        folder: the folder.
        folds: which of its folds; default all. The earlier stage of a cascade uses the same folds if it has them, else
            all of its own.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bf16``, ``fp16`` or ``auto``: fp16 on CUDA, else float32, unless the model asks for
            another on a CPU.
        engine: one of :data:`~medarch.inference.engines.load_engine.ENGINES`, or ``auto``: torch in that precision.
        previous_stage: load the earlier stage of a cascade, too, where it lies in the folder.

    Raises:
        ModelError: files are missing, or weights do not fit the plan.
        UsageError: there is no such precision or engine, or not on this machine.
    """
    contents = read_model_folder(folder, folds)
    info, plan, configuration, chosen = contents.info, contents.plan, contents.configuration, contents.folds
    task = create_task(plan, configuration)
    if not isinstance(task, DecidingTask):
        raise ModelError(f"{folder} decides no labels", expected="a segmentation", found=plan.task)
    target = torch.device(device)
    name = _engine_name(engine, precision, info.precision if device == "cpu" else "auto", target)
    digest = hashlib.sha256(plan.sha256().encode())
    networks = []
    for fold in chosen:
        path = folder / weights_name(fold)
        digest.update(_file_sha256(path))
        networks.append(load_network(path, task))
    record = folder / "dataset.json"
    waived = Dataset.load(record).waived if record.exists() else ()
    previous = None
    if previous_stage and configuration.previous_stage is not None and (folder / PREVIOUS_STAGE).is_dir():
        previous = _load_previous(
            folder / PREVIOUS_STAGE, plan, folds, device=device, precision=precision, engine=engine
        )
        digest.update(previous.sha256.encode())
    steps = folder / POSTPROCESSING
    return Model(
        folder,
        digest.hexdigest(),
        plan,
        configuration,
        task,
        tuple(networks),
        tuple(load_engine(name, network, target) for network in networks),
        LinearHead.of(networks, classes=configuration.network.heads).to(target),
        target,
        waived,
        previous,
        Postprocessing.load(steps) if steps.exists() else Postprocessing(),
    )


def _load_previous(
    folder: Path, plan: Plan, folds: Sequence[str] | None, *, device: str, precision: str, engine: str
) -> Model:
    has = ModelInfo.load(folder / "model.json").folds
    same = folds if folds is not None and set(folds) <= set(has) else None
    previous = load_model(folder, folds=same, device=device, precision=precision, engine=engine)
    if previous.plan.labels != plan.labels or previous.plan.channels != plan.channels:
        raise ModelError(
            f"{folder} is not the earlier stage of this cascade",
            expected=f"channels {', '.join(plan.channels)} and labels {plan.labels.labels}",
            found=f"channels {', '.join(previous.plan.channels)} and labels {previous.plan.labels.labels}",
            fix="copy the model of the same dataset there",
        )
    return previous


def _engine_name(engine: str, precision: str, usual: str, device: torch.device) -> str:
    if precision != "auto" and precision not in PRECISIONS:
        raise UsageError(
            f"unknown precision {precision!r}",
            expected=", ".join(("auto", *PRECISIONS)),
            found=precision,
            fix="choose one of those",
        )
    if engine == "auto":
        return default_engine(device, precision=usual if precision == "auto" else precision)
    if precision != "auto" and engine in ENGINES and ENGINES[engine].compute != PRECISIONS[precision]:
        raise UsageError(
            f"engine {engine} does not compute in {precision}",
            expected=f"precision {precision} or engine {engine}",
            found="both",
            fix="leave --precision away",
        )
    return engine


def _file_sha256(path: Path) -> bytes:
    try:
        return bytes.fromhex(file_sha256(path))
    except OSError as error:
        raise ModelError(
            f"cannot read {path}", found=str(error), fix="copy the model folder again, complete"
        ) from error
