"""Whether a coarse axis is resampled on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def separate_axis(current_mm: Sequence[float], wanted_mm: Sequence[float], *, ratio: float) -> int | None:
    """Return the axis to resample apart from the other two, or None.

    nnU-Net's rule: if the largest of the current spacings exceeds ``ratio`` times the smallest, the axis of the
    largest; otherwise the same question for the wanted spacings; and no axis when two share the largest spacing.
    """
    for spacing in (current_mm, wanted_mm):
        if max(spacing) / min(spacing) > ratio:
            coarse = np.flatnonzero(np.asarray(spacing) == max(spacing))
            return int(coarse[0]) if len(coarse) == 1 else None
    return None
