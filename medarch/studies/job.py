"""What a process of its own is asked to do, and what became of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

from medarch.core.record import Record
from medarch.core.study import RunStatus

PREDICTIONS = "predictions"


class Step(Record):
    """One command of a job."""

    name: str
    """``plan``, ``preprocess``, ``train`` or ``predict``."""
    command: tuple[str, ...]
    product: Path | None = None
    """A step that has succeeded is not run again while this is there; without a product it always is."""
    goes_on: bool = False
    """Whether a second start uses what the first one did, so that the cost of both counts."""


class Job(Record):
    """A run, or a method's preparation, as ``job.json`` in a folder of its own. Every path is absolute."""

    key: str
    steps: tuple[Step, ...] = ()
    environment: dict[str, str] = {}
    device: str = "cpu"
    limit_s: float | None = None
    """Of all steps together."""
    cases: tuple[str, ...] = ()
    """What ``FOLDER/predictions`` must hold at the end."""
    finished_predictions: dict[str, Path] = {}
    """Label maps by case that are only linked there."""

    @staticmethod
    def file(folder: Path) -> Path:
        """Where a job's record lies."""
        return folder / "job.json"


class Spent(Record):
    """What one start of a step used."""

    step: str
    attempt: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    peak_gpu_bytes: int | None = None


class JobRecord(Record):
    """``run.json``: the only thing that says whether a job is done."""

    key: str
    status: RunStatus
    attempts: int = 0
    spent: tuple[Spent, ...] = ()
    finished_steps: tuple[str, ...] = ()
    outputs: dict[str, str] = {}
    """Hash of each case's label map."""
    error: str = ""
    device: str = ""
    """Named hardware."""
    on_gpu: bool = False
    parameters: int | None = None
    software: dict[str, str] = {}
    """Versions in the environment of another program."""

    @staticmethod
    def file(folder: Path) -> Path:
        """Where the record lies."""
        return folder / "run.json"

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """Return the record of a folder, or None if nothing has started there."""
        return cls.load(cls.file(folder)) if cls.file(folder).exists() else None

    def seconds(self, step: str) -> float | None:
        """Wall-clock of one step over its counted starts; None if it never ran."""
        counted = [spent.wall_s for spent in self.spent if spent.step == step]
        return sum(counted) if counted else None

    def is_done(self, folder: Path) -> bool:
        """Whether the job succeeded and its predictions are there, unchanged."""
        if self.status != "done":
            return False
        found = find_predictions(folder / PREDICTIONS)
        return all(case in found and file_sha256(found[case]) == digest for case, digest in self.outputs.items())


def find_predictions(folder: Path) -> dict[str, Path]:
    """Return the label maps of a folder by case; one file of a case's name, whatever its format."""
    from medarch.io.suffix import format_of, is_volume_file, split_suffix

    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {split_suffix(path)[0]: path for path in paths if is_volume_file(path) and format_of(path) != "picture"}


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
