"""What came of registering one pair."""

from __future__ import annotations

from typing import Literal

from medarch.core.evaluation import Measurement
from medarch.core.geometry import Row
from medarch.core.record import Record
from medarch.core.registration_evaluation import PairMeasures


class PairReport(Record):
    """A registration: what was asked, what was written, how good it is."""

    schema_version: Literal[1] = 1
    fixed: str
    moving: str
    settings: dict[str, object]
    similarity: str = ""
    """What the images were compared by."""
    because: str = ""
    """Why, where the pair decided."""
    files: dict[str, str]
    """What each file holds → its name in the output folder."""
    affine: tuple[Row, Row, Row, Row]
    """Points of the fixed image, after the deformation → the moving image, RAS+ millimetres."""
    iterations: int
    """Of the deformation."""
    inside: float
    """Share of the fixed grid that lies in the moving image."""
    measures: PairMeasures
    rows: tuple[Measurement, ...] = ()
    """The moving image's labels, warped, against the fixed image's."""
    before: tuple[Measurement, ...] = ()
    """The same where the files place the images."""
