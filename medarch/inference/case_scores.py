"""What networks said of a case, while its files are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from medarch.core.labels import LabelScheme
from medarch.inference.file_probabilities import FileProbabilities
from medarch.io.volume_planes import VolumePlanes
from medarch.tasks.decode_planes import decode_planes
from medarch.tasks.mean_planes import MeanPlanes


@dataclass(frozen=True)
class CaseScores:
    """Probabilities on the file's grid of one model, or the mean of several; closing it frees the disk."""

    members: Sequence[FileProbabilities]
    scheme: LabelScheme
    decided: np.ndarray | None = None
    """``(I, J, K)`` labels, where they were decided on the way."""

    def __enter__(self) -> CaseScores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.close()

    @property
    def probabilities(self) -> VolumePlanes:
        """``(classes, I, J, K)``, computed for the planes that are asked for."""
        return MeanPlanes(self.members)

    def labels(self) -> np.ndarray:
        """``(I, J, K)``."""
        return decode_planes(self.probabilities, self.scheme) if self.decided is None else self.decided
