"""Intervals against scipy and against the truth they should cover."""

import numpy as np
import pytest

from medarch.evaluation.bootstrap import bootstrap


def test_equals_scipys_bca():
    from scipy import stats

    values = np.random.default_rng(1).beta(8, 2, 40)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, rng=np.random.default_rng(0)).confidence_interval
    found = bootstrap(values, samples=20000)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_95_percent_intervals_cover_the_true_mean_about_95_percent_of_the_time():
    draw = np.random.default_rng(0)
    truth = 8 / 10
    intervals = [bootstrap(draw.beta(8, 2, 50), samples=500) for _ in range(400)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.91 < covered < 0.98


def test_a_higher_confidence_is_a_wider_interval():
    values = np.random.default_rng(2).normal(size=30)
    narrow, wide = (bootstrap(values, confidence=confidence) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(3).normal(size=30)
    assert bootstrap(values) == bootstrap(values)


def test_undefined_values_are_left_out_and_counted():
    found = bootstrap(np.array([1.0, np.nan, 0.5, np.nan]))
    assert (found.mean, found.used, found.total) == (0.75, 2, 4)
    assert 0.5 <= found.low <= found.high <= 1.0


def test_equal_values_give_an_interval_without_width():
    found = bootstrap(np.full(9, 0.7))
    assert (found.mean, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))


def test_one_case_has_a_mean_but_no_interval():
    found = bootstrap(np.array([np.nan, 0.7]))
    assert (found.mean, found.low, found.high, found.used, found.total) == (0.7, None, None, 1, 2)


@pytest.mark.parametrize("values", [np.zeros(0), np.array([np.nan, np.nan])])
def test_without_values_there_is_no_mean(values):
    found = bootstrap(values)
    assert (found.mean, found.low, found.high, found.used, found.total) == (None, None, None, 0, len(values))


def test_a_mean_over_classes_of_means_over_cases():
    values = np.array([[1.0, 0.2], [0.5, np.nan], [0.0, np.nan], [np.nan, np.nan]])
    found = bootstrap(values)
    assert found.mean == pytest.approx((0.5 + 0.2) / 2)
    assert (found.used, found.total) == (3, 4)
    assert 0.1 <= found.low < found.high <= 0.6
    assert bootstrap(values * [1, np.nan]).mean is None
