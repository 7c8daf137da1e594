"""Voxel counts of two masks, and what follows from counts alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.errors import EvaluationError


@dataclass(frozen=True)
class Overlap:
    """Voxels of a prediction against a reference."""

    true_positive: int
    false_positive: int
    false_negative: int

    @property
    def prediction(self) -> int:
        """Voxels of the prediction."""
        return self.true_positive + self.false_positive

    @property
    def reference(self) -> int:
        """Voxels of the reference."""
        return self.true_positive + self.false_negative

    @property
    def dsc(self) -> float | None:
        """Dice similarity coefficient, 0..1 (Dice 1945); None when both masks are empty."""
        both = self.prediction + self.reference
        return 2 * self.true_positive / both if both else None

    @property
    def relative_volume_error(self) -> float | None:
        """Signed ``(prediction - reference) / reference``; None when the reference is empty."""
        return (self.prediction - self.reference) / self.reference if self.reference else None


def overlap(prediction: np.ndarray, reference: np.ndarray) -> Overlap:
    """Count the voxels of two boolean masks of one shape.

    Raises:
        EvaluationError: the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise EvaluationError(
            "two masks of different shape cannot be compared",
            expected=f"the reference's shape {reference.shape}",
            found=str(prediction.shape),
            fix="write the prediction on the reference's grid",
        )
    common = int(np.count_nonzero(prediction & reference))
    return Overlap(
        true_positive=common,
        false_positive=int(np.count_nonzero(prediction)) - common,
        false_negative=int(np.count_nonzero(reference)) - common,
    )
