"""Where nuclei are."""

from __future__ import annotations

import numpy as np


def centroids(nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the nuclei of an image, ascending, and their centres of mass.

    Args:
        nuclei: ``(*shape)`` integers, 0 for background.

    Returns:
        ``(n,)`` and ``(n, dim)`` in pixels, in the order of the axes; the first pixel's centre is 0.
    """
    inside = np.nonzero(nuclei)
    numbers, code, counts = np.unique(nuclei[inside], return_inverse=True, return_counts=True)
    centres = [np.bincount(code, position, minlength=len(numbers)) / counts for position in inside]
    return numbers, np.stack(centres, axis=1)
