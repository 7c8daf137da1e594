"""Patches whose sides a network can halve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.plan import Voxels


def multiple_of(patch_voxels: Sequence[int], divisor: Voxels) -> Voxels:
    """Return the sides rounded up to multiples of ``divisor``."""
    return tuple(math.ceil(side / step) * step for side, step in zip(patch_voxels, divisor, strict=True))
