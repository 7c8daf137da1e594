"""How much light a stain takes away."""

from __future__ import annotations

import numpy as np


def optical_density(rgb: np.ndarray) -> np.ndarray:
    """``(*shape, 3)`` uint8 → float32, 0 for white (Beer and Lambert's law, base e)."""
    density: np.ndarray = _TABLE[rgb]
    return density


def from_optical_density(density: np.ndarray) -> np.ndarray:
    """``(*shape, 3)`` → uint8, the inverse of :func:`optical_density`."""
    pixels: np.ndarray = np.rint(np.clip(_WHITE * np.exp(-density) - 1, 0, 255)).astype(np.uint8)
    return pixels


_WHITE = 256.0
# One is added so that black has a density.
_TABLE = (-np.log((np.arange(256) + 1.0) / _WHITE)).astype(np.float32)
