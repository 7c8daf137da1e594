"""From class probabilities to a label map."""

from __future__ import annotations

import numpy as np

from medarch.core.labels import LabelScheme


def decode_probabilities(probabilities: np.ndarray, labels: LabelScheme) -> np.ndarray:
    """Return the likeliest label; regions above one half are written in ``regions_class_order``.

    Args:
        probabilities: ``(classes, *grid)``, background first; for regions ``(regions, *grid)``.
        labels: what the channels mean.

    Returns:
        ``(*grid)`` uint8, or uint16 where there are values above 254.
    """
    dtype = np.uint8 if labels.values[-1] < 255 else np.uint16
    if not labels.has_regions:
        winner: np.ndarray = probabilities.argmax(axis=0).astype(dtype)
        return winner
    out: np.ndarray = np.zeros(probabilities.shape[1:], dtype)
    for channel, value in zip(probabilities, labels.regions_class_order or (), strict=True):
        out[channel > 0.5] = value
    return out
