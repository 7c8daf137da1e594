"""What became of each case of a prediction run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.core.record import Record

CaseStatus = Literal["done", "failed", "skipped"]


class CasePrediction(Record):
    """One line of the ledger."""

    case: str
    status: CaseStatus
    images: tuple[Path, ...]
    output: Path | None = None
    output_sha256: str | None = None
    probabilities: Path | None = None
    seconds: float = 0.0
    voxels: dict[str, int] = {}
    """Voxels of each class in the output."""
    classes: tuple[str, ...] | None = None
    """Classification: what was decided."""
    class_probabilities: dict[str, float] = {}
    """Classification: probability of each class."""
    saliency: Path | None = None
    """Classification: where the network looked, 0 to 255 on the image's grid; the same file as ``output``."""
    error: str | None = None


class Prediction(Record):
    """The sixth record of the data flow: a run over many cases."""

    schema_version: Literal[1] = 1
    model: Path
    model_sha256: str
    settings: dict[str, str | int | float | bool | tuple[str, ...] | None]
    cases: tuple[CasePrediction, ...]

    @property
    def failed(self) -> tuple[CasePrediction, ...]:
        """The cases that could not be predicted."""
        return tuple(case for case in self.cases if case.status == "failed")
