"""How often to square for a small first step."""

from __future__ import annotations

import math

from torch import Tensor


def enough_squarings(velocity: Tensor, *, largest_step: float) -> int:
    """Return how many halvings bring the field's largest component down to ``largest_step`` voxels."""
    largest = float(velocity.detach().abs().amax())
    if not math.isfinite(largest) or largest <= largest_step:
        return 0
    return math.ceil(math.log2(largest / largest_step))
