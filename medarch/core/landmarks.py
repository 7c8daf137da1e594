"""Named points in a patient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from medarch.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

Point = tuple[float, float, float]


class Landmarks(Record):
    """Points of one image, in **RAS+** millimetres. On a 2D image z is 0, or wherever its slice lies."""

    names: tuple[str, ...]
    points_mm: tuple[Point, ...]
    descriptions: tuple[str, ...] = ()
    """Free text by point (3D Slicer's ``desc``); empty when there is none at all."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.names) != len(self.points_mm) or len(self.descriptions) not in (0, len(self.names)):
            raise ValueError("as many names as points, and as many descriptions or none")
        for name, point in zip(self.names, self.points_mm, strict=True):
            if not all(math.isfinite(value) for value in point):
                raise ValueError(f"landmark {name!r} lies at {point}, which is not finite")
        return self

    @property
    def array(self) -> np.ndarray:
        """The points as ``(N, 3)`` float64."""
        import numpy as np

        return np.array(self.points_mm, dtype=np.float64).reshape(-1, 3)

    def at(self, names: Sequence[str]) -> np.ndarray:
        """Return the points of these names, ``(len(names), 3)`` float64; of a name that occurs twice the first."""
        return self.array[[self.names.index(name) for name in names]]

    def moved(self, points_mm: np.ndarray) -> Landmarks:
        """Return the same landmarks at other places, ``(N, 3)``."""
        points = tuple((float(x), float(y), float(z)) for x, y, z in points_mm)
        return self.model_copy(update={"points_mm": points})
