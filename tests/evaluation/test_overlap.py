"""Overlap against scipy."""

import numpy as np
import pytest

from medarch.core.errors import EvaluationError
from medarch.evaluation.overlap import overlap


def test_dsc_equals_scipys_dice_dissimilarity():
    from scipy.spatial.distance import dice

    prediction, reference = np.random.default_rng(0).random((2, 8, 9, 10)) > 0.7
    assert overlap(prediction, reference).dsc == pytest.approx(1 - dice(prediction.ravel(), reference.ravel()))


def test_counts_by_hand():
    prediction = np.array([1, 1, 1, 0, 0], dtype=bool)
    reference = np.array([1, 0, 0, 1, 0], dtype=bool)
    found = overlap(prediction, reference)
    assert (found.true_positive, found.false_positive, found.false_negative) == (1, 2, 1)
    assert found.dsc == pytest.approx(2 / 5)
    assert found.relative_volume_error == pytest.approx(0.5)


def test_what_is_undefined_is_none():
    nothing, something = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    assert overlap(nothing, nothing).dsc is None
    assert overlap(something, nothing).relative_volume_error is None
    assert overlap(something, nothing).dsc == 0


def test_shapes_must_agree():
    with pytest.raises(EvaluationError, match="different shape"):
        overlap(np.ones((1, 3), dtype=bool), np.ones((3, 3), dtype=bool))
