"""What became of each case of a prediction run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.core.geometry import Row
from medarch.core.pair_input import PairInput
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
    nuclei: dict[str, int] = {}
    """Slides: nuclei of each class in the output."""
    saliency: Path | None = None
    """Classification: where the network looked, 0 to 255 on the image's grid; the same file as ``output``."""
    field: Path | None = None
    """Registration: the displacement field on the fixed image's grid; ``output`` is the warped moving image."""
    inverse: Path | None = None
    """Registration: the way back, a displacement field on the moving image's grid; None unless it was asked for."""
    labels: Path | None = None
    """Registration: the moving image's label map, warped; None if it has none."""
    pair: PairInput | None = None
    """Registration: what was registered."""
    start: tuple[Row, Row, Row, Row] | None = None
    """Registration: the affine it started from, RAS+ millimetres of the fixed to those of the moving image."""
    error: str | None = None


class CaseEstimate(Record):
    """What a case will probably cost on this machine."""

    case: str
    passes: int = 0
    """Tiles times mirrored copies times networks; 0 for a file that cannot be read."""
    seconds: float = 0.0
    peak_bytes: int = 0
    """Of the process while it works on this case alone."""

    def plus(self, other: CaseEstimate) -> CaseEstimate:
        """The same case through several models, one after the other."""
        return CaseEstimate(
            case=self.case,
            passes=self.passes + other.passes,
            seconds=self.seconds + other.seconds,
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
        )


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
