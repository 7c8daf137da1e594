"""What is done to a label map after it was decoded."""

from __future__ import annotations

from typing import Literal

from medarch.core.record import Record


class KeepLargest(Record):
    """Of all voxels with one of ``values``, keep the largest connected component; the others become background."""

    kind: Literal["keep_largest"] = "keep_largest"
    values: tuple[int, ...]


class Postprocessing(Record):
    """Steps in order, and what they did for the cross-validation they were chosen by."""

    schema_version: Literal[1] = 1
    steps: tuple[KeepLargest, ...] = ()
    dsc_before: float | None = None
    dsc_after: float | None = None

    def __str__(self) -> str:
        steps = [f"keep the largest component of {', '.join(map(str, step.values))}" for step in self.steps]
        return "; ".join(steps) or "none"
