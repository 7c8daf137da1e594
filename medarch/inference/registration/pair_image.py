"""One image of a pair, as it comes from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.geometry import Geometry


@dataclass(frozen=True)
class PairImage:
    """Voxels and their place in the patient."""

    array: np.ndarray
    """``(C, I, J, K)`` numbers; K = 1 for a 2D image."""
    geometry: Geometry
    mask: np.ndarray | None = None
    """``(I, J, K)``: voxels that count are not 0; None: all."""
