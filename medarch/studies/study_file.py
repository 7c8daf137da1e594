"""What a study file may say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, model_validator

from medarch.core.durations import seconds, spoken
from medarch.core.evaluation import EmptyPolicy
from medarch.core.record import Record


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    # Not resolved: the python of a virtual environment is a link that must be called by its own name.
    return Path(os.path.normpath((info.context or {}).get("folder", Path.cwd()) / path.expanduser()))


def _template(text: str, info: ValidationInfo) -> str:
    return str(_beside_the_file(Path(text), info))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"there is no {path}")
    return path


def _duration(value: Any) -> Any:
    return seconds(value) if isinstance(value, str) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


def _folds(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else [value]
    whole = bool(numbers) and all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    least = 0 if numbers is value else 1
    if value != "all" and not (whole and min(numbers) >= least):
        raise ValueError("write all, how many folds (2), or their numbers ([0, 1])")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Becomes the name of a folder."""
NearPath = Annotated[Path, AfterValidator(_beside_the_file)]
"""Relative to the study file."""
ExistingPath = Annotated[NearPath, AfterValidator(_existing)]
DurationS = Annotated[float, BeforeValidator(_duration), Field(gt=0)]
"""Seconds, or text such as ``"15m"``."""


class DatasetEntry(Record):
    """One dataset of the study."""

    path: ExistingPath
    """nnU-Net or MSD layout, or a manifest."""
    name: Name | None = None
    """Default the dataset's own."""
    patient: str | None = None
    """Regular expression with one group that finds the patient in the case id; default: every case is a patient."""
    splits: ExistingPath | None = None
    """A ``splits_final.json``; default the dataset's own, else nnU-Net's five folds."""
    waive: tuple[str, ...] = ()
    """Codes of ``medarch check`` to accept."""


class Budget(Record):
    """What every trained method may use for one run. Exactly one field."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    wall_clock: DurationS | None = None
    gpu_hours: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.epochs, self.wall_clock, self.gpu_hours)) != 1:
            raise ValueError("give exactly one of epochs, wall_clock and gpu_hours")
        return self

    @property
    def seconds(self) -> float | None:
        """Wall-clock of one training; None for a budget of epochs. A run has one GPU, so GPU time is wall-clock."""
        return self.gpu_hours * 3600 if self.gpu_hours is not None else self.wall_clock

    @property
    def text(self) -> str:
        """The budget in words."""
        if self.epochs is not None:
            return f"{self.epochs} epochs"
        if self.gpu_hours is not None:
            return f"{self.gpu_hours:g} GPU hours"
        return f"{spoken(self.wall_clock or 0)} wall-clock"


class NnunetMethod(Record):
    """nnU-Net v2 in its own environment."""

    python: ExistingPath
    """The interpreter of the environment that has nnU-Net."""
    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    trainer: Name = "nnUNetTrainer"
    plans: Literal["nnUNetPlans", "nnUNetResEncUNetMPlans", "nnUNetResEncUNetLPlans", "nnUNetResEncUNetXLPlans"] = (
        "nnUNetPlans"
    )


class Method(Record):
    """One method: a medarch plan, nnU-Net, or finished predictions. Exactly one of the three."""

    name: Name
    plan: str | None = None
    """A preset of ``medarch plan``."""
    changes: Annotated[tuple[ExistingPath, ...], BeforeValidator(_one_or_many)] = Field((), alias="with")
    """YAML files laid over the plan."""
    configuration: str | None = None
    """Default the plan's."""
    architecture: str | None = None
    """A network of the registry in place of the plan's."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """GB that training may use, as for ``medarch plan --memory``."""
    nnunet: NnunetMethod | None = None
    predictions: Annotated[str, AfterValidator(_template)] | None = None
    """Folder of label maps; ``{dataset}``, ``{fold}`` and ``{seed}`` are replaced."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.plan, self.nnunet, self.predictions)) != 1:
            raise ValueError("give exactly one of plan, nnunet and predictions")
        for name, value in (("with", self.changes), ("configuration", self.configuration),
                            ("architecture", self.architecture), ("memory_gb", self.memory_gb)):  # fmt: skip
            if value and self.plan is None:
                raise ValueError(f"{name} belongs to a plan, and this method has none")
        return self


class EvaluationSettings(Record):
    """How every run is measured."""

    nsd_tolerance_mm: Annotated[float, Field(ge=0)] = 1.0
    empty_policy: EmptyPolicy = "medarch"


class LocalPool(Record):
    """Runs on this machine."""

    workers: Annotated[int, Field(ge=1)] = 1
    """Runs at a time; they share the cores, and each has a GPU of its own while there are enough."""


class SlurmArray(Record):
    """One array task a run, submitted with submitit."""

    partition: str | None = None
    cpus: Annotated[int, Field(ge=1)] = 1
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    gpus: Annotated[int, Field(ge=0, le=1)] = 0
    time: DurationS | None = None
    """Slurm's limit of one run."""
    parallel: Annotated[int, Field(ge=1)] = 256
    """Array tasks at a time."""


class RunOn(Record):
    """Where runs are computed. Exactly one."""

    local: LocalPool | None = None
    slurm: SlurmArray | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        return {key: inner or {} for key, inner in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.local is None) == (self.slurm is None):
            raise ValueError("give local or slurm")
        return self


class StudyFile(Record):
    """The whole file."""

    name: Name
    output: NearPath
    """Where everything is written; default a folder of the study's name beside the file."""
    datasets: Annotated[tuple[DatasetEntry, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    folds: Annotated[Literal["all"] | int | tuple[int, ...], BeforeValidator(_folds)] = "all"
    """``all``, how many from the first, or a list of numbers."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    budget: Budget | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    evaluation: EvaluationSettings = EvaluationSettings()
    run_on: RunOn = RunOn(local=LocalPool())
    timeout: DurationS | None = None
    """Ends a run that takes longer; it then counts as failed."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        short = dict(value)
        short.setdefault("output", str(short.get("name", "study")))
        if isinstance(short.get("datasets"), list):
            short["datasets"] = [{"path": one} if isinstance(one, str) else one for one in short["datasets"]]
        elif isinstance(short.get("datasets"), str):
            short["datasets"] = [{"path": short["datasets"]}]
        return short

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for field, names in (
            ("methods", [method.name for method in self.methods]),
            ("datasets", [str(entry.name or entry.path) for entry in self.datasets]),
            ("seeds", list(map(str, self.seeds))),
            ("folds", list(map(str, self.folds)) if isinstance(self.folds, tuple) else []),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{field} names {', '.join(twice)} twice")
        trained = [method.name for method in self.methods if method.predictions is None]
        if trained and self.budget is None:
            raise ValueError(f"budget is missing, and {', '.join(trained)} must be trained")
        if self.budget is not None and self.budget.gpu_hours is not None and self.device != "cuda":
            raise ValueError("a budget of gpu_hours needs device: cuda")
        return self
