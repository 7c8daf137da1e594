"""Images of nuclei with what is known of them, at the resolution of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NucleiImage:
    """One image."""

    image: np.ndarray
    """``(J, I, 3)`` uint8."""
    instances: np.ndarray
    """``(J, I)`` int32, 0 outside of nuclei."""
    types: np.ndarray | None = None
    """``(J, I)`` uint8, 0 outside of nuclei."""


NucleiImages = Mapping[str, NucleiImage]
"""Case → image."""
