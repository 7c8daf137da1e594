"""The mean of what several models say."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from medarch.core.errors import PredictionError


def mean_probabilities(members: Iterable[np.ndarray]) -> np.ndarray:
    """Return the mean of arrays ``(classes, *grid)`` as float32; one is held besides the sum, as in nnU-Net.

    Raises:
        PredictionError: the shapes differ.
    """
    total: np.ndarray | None = None
    count = 0
    for count, member in enumerate(members, start=1):  # noqa: B007 - used after the loop
        if total is None:
            total = np.array(member, dtype=np.float32)
            continue
        if member.shape != total.shape:
            raise PredictionError(
                "members of an ensemble disagree about a case",
                expected=f"probabilities of shape {total.shape}",
                found=str(member.shape),
                fix="average models of the same labels, predicted from the same images",
            )
        total += member
    if total is None:
        raise ValueError("no members")
    total /= count
    return total
