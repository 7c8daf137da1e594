"""The mean of what several models say, plane by plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.errors import PredictionError
from medarch.io.volume_planes import VolumePlanes


class MeanPlanes:
    """A :class:`~medarch.io.volume_planes.VolumePlanes`: the mean of probabilities ``(classes, I, J, K)``.

    Raises:
        PredictionError: the members' shapes differ.
    """

    def __init__(self, members: Sequence[VolumePlanes]) -> None:
        self.members = members
        for member in members[1:]:
            if member.shape != self.shape:
                raise PredictionError(
                    "members of an ensemble disagree about a case",
                    expected=f"probabilities of shape {self.shape}",
                    found=str(member.shape),
                    fix="average models of the same labels, predicted from the same images",
                )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(classes, I, J, K)``."""
        return self.members[0].shape

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        """``(channels, I, J, high - low)`` float32; one member is held besides the sum."""
        total = self.members[0].planes(channels, low, high)
        for member in self.members[1:]:
            total += member.planes(channels, low, high)
        if len(self.members) > 1:
            total /= len(self.members)
        return total
