"""A volume of many channels that is never in memory as a whole."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class VolumePlanes(Protocol):
    """A volume that gives any of its channels at any of its planes along the last axis."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(C, I, J, K)``."""

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        """``(channels, I, J, high - low)`` float32; the caller may write into it."""
