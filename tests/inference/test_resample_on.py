"""The torch resampler, run on the CPU here, against the one that is checked against scipy and scikit-image."""

import numpy as np
import pytest
import torch

from medarch.inference.resample_on import _Torch, resample_on
from medarch.preprocessing.resample import resample

CASES = [
    ((20, 31, 17), (33, 25, 17), None, 0),
    ((7, 40, 33), (12, 50, 21), 0, 0),
    ((30, 20, 9), (21, 25, 4), 2, 1),
    ((5, 6, 7), (5, 6, 7), None, 0),
]


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize(("old", "new", "apart", "coarse_order"), CASES)
def test_both_resamplers_say_the_same(old, new, apart, coarse_order, order):
    array = np.random.default_rng(0).normal(size=(2, *old)).astype(np.float32) * 100
    given = {"order": order, "separate_axis": apart, "coarse_order": coarse_order}
    expected = resample(array, new, **given)
    found = _Torch(torch.device("cpu"))(array, new, **given)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-5)


def test_the_processor_keeps_its_own():
    assert resample_on(torch.device("cpu")) is resample
    assert resample_on(torch.device("cuda")) is not resample
