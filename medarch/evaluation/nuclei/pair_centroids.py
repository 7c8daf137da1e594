"""Pairs of centres."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

RADIUS_PIXELS = 12.0
"""At 0.25 µm a pixel. Source: Graham et al. 2019, arXiv:1812.06499, section 4.2."""


def pair_centroids(
    truth: np.ndarray, found: np.ndarray, radius: float = RADIUS_PIXELS
) -> tuple[np.ndarray, np.ndarray]:
    """Return which centres belong together: the Hungarian method on distances, then pairs within ``radius``.

    All distances take part in the assignment, as in the original definition; so it is meant for images, and a slide of
    many thousand nuclei should be compared field by field.

    Args:
        truth: ``(n, dim)`` in pixels.
        found: ``(m, dim)``.
        radius: largest distance of a pair.

    Returns:
        Two arrays ``(pairs,)``: rows of ``truth`` and of ``found``.
    """
    if not len(truth) or not len(found):
        return np.zeros(0, int), np.zeros(0, int)
    distances = cdist(truth, found)
    rows, columns = linear_sum_assignment(distances)
    near = distances[rows, columns] <= radius
    return rows[near], columns[near]
