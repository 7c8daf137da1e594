"""A comparison study: which methods ran on which data, what became of each run, and every measurement."""

from __future__ import annotations

from typing import Literal

from medarch.core.evaluation import EmptyPolicy, Status
from medarch.core.record import Record

RunStatus = Literal["waiting", "running", "done", "failed"]


class Cost(Record):
    """What one run used, measured from outside over its whole process tree."""

    train_s: float | None = None
    """Wall-clock of training."""
    predict_s: float | None = None
    """Wall-clock of predicting the fold's validation cases."""
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    """Wall-clock on a GPU device; 0 on CPU."""
    peak_memory_bytes: int | None = None
    """Largest resident memory of the process tree."""
    peak_gpu_bytes: int | None = None
    parameters: int | None = None


class StudyRun(Record):
    """One method trained on one fold of one dataset with one seed; it scored the fold's validation cases."""

    dataset: str
    method: str
    fold: int
    seed: int
    status: RunStatus
    cases: tuple[str, ...] = ()
    """Validation cases of the fold: what the method was asked to predict."""
    cost: Cost = Cost()
    attempts: int = 0
    error: str = ""
    """Why a failed run failed: the last lines that say it."""


class StudyRow(Record):
    """One class of one case predicted by one run."""

    dataset: str
    method: str
    fold: int
    seed: int
    case: str
    patient: str
    """Cases of one patient are resampled together."""
    label: str
    status: Status
    values: dict[str, float | None]
    """Measures as in :class:`~medarch.core.evaluation.Measurement`."""


class StudyResult(Record):
    """Everything a study measured; the statistics are computed from this alone."""

    schema_version: Literal[1] = 1
    name: str
    budget: str
    """The same for every run, in words: ``"3 min wall-clock"``, ``"50 epochs"``."""
    device: str
    """Named hardware the runs used."""
    empty_policy: EmptyPolicy
    nsd_tolerance_mm: float
    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    """In the order of the study file; the first is the reference method."""
    runs: tuple[StudyRun, ...]
    rows: tuple[StudyRow, ...]
    software: dict[str, str] = {}
    """Package → version, of whatever a reader needs to know; carried into every table."""
