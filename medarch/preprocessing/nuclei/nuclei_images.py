"""Images and volumes of nuclei with what is known of them, at the resolution of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NucleiImage:
    """One image, or one volume along the network's axes."""

    image: np.ndarray
    """``(J, I, 3)`` uint8, or ``(N0, N1, N2, C)`` float32, standardised."""
    instances: np.ndarray
    """``(J, I)`` or ``(N0, N1, N2)`` int32, 0 outside of nuclei."""
    types: np.ndarray | None = None
    """As large, uint8, 0 outside of nuclei."""


NucleiImages = Mapping[str, NucleiImage]
"""Case → image."""
