"""Along each axis: which samples of the network's grid every sample of the file's cropped grid is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.prepared import PreparedCase
from medarch.preprocessing.interpolation import interpolation_matrix, nearest_indices
from medarch.preprocessing.way_back_axis import way_back_axis


@dataclass(frozen=True)
class ScoreLine:
    """Interpolation of scores along one axis."""

    weights: np.ndarray
    """``(new, old)`` float32; rows sum to 1."""
    first: np.ndarray
    last: np.ndarray
    """``(new,)`` first and last network sample of each file sample."""

    @classmethod
    def of(cls, old: int, new: int, *, order: int) -> ScoreLine:
        """From ``old`` network samples to ``new`` file samples with splines of ``order``."""
        if order == 0 or old == new:
            weights = np.eye(old, dtype=np.float32)
            weights = weights if old == new else weights[nearest_indices(old, new)]
        else:
            weights = interpolation_matrix(old, new, order).astype(np.float32)
        used = weights != 0
        return cls(weights, used.argmax(axis=1), old - 1 - used[:, ::-1].argmax(axis=1))

    def support(self, low: int, high: int) -> tuple[int, int]:
        """Half-open range of network samples that file samples ``low`` to ``high`` need."""
        return int(self.first[low:high].min()), int(self.last[low:high].max()) + 1

    def matrix(self, low: int, high: int) -> np.ndarray:
        """``(high - low, support)`` weights."""
        begin, end = self.support(low, high)
        return self.weights[low:high, begin:end]


def score_lines(record: PreparedCase) -> tuple[ScoreLine, ScoreLine, ScoreLine]:
    """The three axes of a case's way back, see :func:`~medarch.preprocessing.restore.resample_to_crop`."""
    coarse = way_back_axis(record)
    first, second, third = (
        ScoreLine.of(old, new, order=record.coarse_order if axis == coarse else record.score_order)
        for axis, (old, new) in enumerate(zip(record.shape, record.cropped_shape, strict=True))
    )
    return first, second, third
