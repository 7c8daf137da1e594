"""What a cascade's second stage sees: the image, and the first stage's labels as further channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def append_one_hot(image: np.ndarray, labels: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Append one channel a label value, 1 where the label map holds it, else 0 (nnU-Net's cascade input).

    Args:
        image: ``(C, N0, N1, N2)``.
        labels: ``(N0, N1, N2)`` integers; values that are not asked for (background, outside) give no channel.
        values: the label values, in the order of the channels.

    Returns:
        ``(C + len(values), N0, N1, N2)`` float32.
    """
    result = np.empty((len(image) + len(values), *labels.shape), dtype=np.float32)
    result[: len(image)] = image
    for channel, value in zip(result[len(image) :], values, strict=True):
        np.equal(labels, value, out=channel, casting="unsafe")
    return result
