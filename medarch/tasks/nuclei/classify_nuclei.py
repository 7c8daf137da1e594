"""The type of each nucleus."""

from __future__ import annotations

import numpy as np


def classify_nuclei(nuclei: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each nucleus' likeliest type and the probabilities of all types.

    A nucleus' probability is the mean of its pixels' softmax. That it is none of the types (background) is left out,
    and the others are scaled to a sum of 1: that it is a nucleus has been decided already.

    Args:
        nuclei: ``(*shape)`` numbered 1, 2, ..., n.
        probabilities: ``(types, *shape)``, background first.

    Returns:
        ``(n,)`` types from 1, and ``(n, types - 1)`` float32 probabilities.
    """
    inside = np.flatnonzero(nuclei)
    numbers = nuclei.ravel()[inside] - 1
    count = int(nuclei.max(initial=0))
    sums = np.stack(
        [np.bincount(numbers, channel.ravel()[inside], minlength=count) for channel in probabilities[1:]], axis=1
    )
    sums = sums.astype(float)
    total = sums.sum(axis=1, keepdims=True)
    # Where not a single pixel has any, all types are alike.
    shares = np.divide(sums, total, out=np.full_like(sums, 1 / sums.shape[1]), where=total > 0).astype(np.float32)
    return shares.argmax(axis=1) + 1, shares
