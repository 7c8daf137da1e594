"""Whole cases on inputs of fixed size."""

import numpy as np
import pytest

from medarch.preprocessing.fit_to_input import fit_to_input, unfit_from_input

SHAPES = [((5, 6, 7), (8, 8, 8)), ((9, 12, 11), (8, 8, 8)), ((4, 12, 8), (8, 8, 8)), ((1, 9, 5), (8, 8))]


def image(shape, *, channels=2):
    return np.random.default_rng(0).normal(size=(channels, *shape)).astype(np.float32)


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_what_is_surrounded_is_surrounded_by_the_darkest_value(shape, size):
    case = image(shape)
    fitted = fit_to_input(case, size)
    assert fitted.shape == (2, *size)
    assert fitted.dtype == np.float32
    assert fitted.min() >= 0
    inside = np.prod(np.minimum(shape[3 - len(size) :], size))
    assert (fitted != 0).sum() <= 2 * inside
    # Nothing but a shift happened to what is left of the case.
    kept = np.sort(case[0].ravel() - case[0].min())
    assert np.isin(fitted[0], np.concatenate([[0], kept])).all()


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_the_way_back_puts_voxels_where_they_were(shape, size):
    case = image(shape)
    back = unfit_from_input(fit_to_input(case, size), shape, fill=-1)
    shifted = case - case.min(axis=(1, 2, 3), keepdims=True)
    reached = back != -1
    assert reached.any()
    assert np.array_equal(back[reached], shifted[reached])
    assert reached.sum() == 2 * np.prod(np.minimum(shape[3 - len(size) :], size))
