"""Intervals over patients against scipy, and against the truth they should cover."""

from types import SimpleNamespace

import numpy as np
import pytest

from medarch.evaluation.bootstrap import bootstrap
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap


def draw(patients, *, samples=2000, confidence=0.95, name="Hearts"):
    return ClusterBootstrap.draw([str(p) for p in patients], samples=samples, confidence=confidence, name=name)


def clustered(generator, *, patients=60, between=0.05, within=0.03, mean=0.8):
    """Patients with 1 to 6 cases that resemble each other."""
    owners = np.repeat(np.arange(patients), generator.integers(1, 7, patients))
    effects = generator.normal(0, between, patients)[owners]
    return owners, mean + effects + generator.normal(0, within, len(owners))


def totals(owners, values):
    return np.bincount(owners, np.nan_to_num(values)), np.bincount(owners, np.isfinite(values)).astype(float)


def ratio(sums, counts, axis=-1):
    return np.sum(sums, axis=axis) / np.sum(counts, axis=axis)


@pytest.mark.parametrize("skew", [False, True])
def test_equals_scipys_bca_of_the_ratio_of_patient_totals(skew):
    from scipy import stats

    owners, values = clustered(np.random.default_rng(1), patients=25)
    values = values**6 if skew else values
    values[[3, 17]] = np.nan
    resamples = draw([f"{owner:03d}" for owner in owners])
    theirs = stats.bootstrap(
        totals(owners, values),
        ratio,
        paired=True,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=resamples.means(values)),
    ).confidence_interval
    found = resamples.estimate(values)
    assert found.interval == "BCa"
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_resamples_equal_scipys_own_within_their_noise():
    from scipy import stats

    owners, values = clustered(np.random.default_rng(2), patients=40)
    theirs = stats.bootstrap(
        totals(owners, values), ratio, paired=True, n_resamples=20000, rng=np.random.default_rng(0)
    ).confidence_interval
    found = draw([f"{owner:03d}" for owner in owners], samples=20000).estimate(values)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-3)


def test_one_case_a_patient_is_the_ordinary_mean():
    values = np.random.default_rng(3).beta(8, 2, 30)
    found = draw(range(30)).estimate(values)
    plain = bootstrap(values)
    assert found.mean == pytest.approx(plain.mean)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=8e-3)


def test_repeating_every_case_of_a_patient_does_not_narrow_the_interval():
    values = np.random.default_rng(4).beta(8, 2, 30)
    once = draw(range(30)).estimate(values)
    four_times = draw(np.repeat(np.arange(30), 4)).estimate(np.repeat(values, 4))
    assert (four_times.low, four_times.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert (four_times.cases_used, four_times.patients) == (120, 30)


def test_the_order_of_cases_does_not_matter():
    owners, values = clustered(np.random.default_rng(5))
    order = np.random.default_rng(6).permutation(len(values))
    assert draw(owners[order]).estimate(values[order]).low == pytest.approx(draw(owners).estimate(values).low, abs=1e-9)


def test_a_mirrored_difference_has_the_mirrored_interval():
    owners, values = clustered(np.random.default_rng(7), mean=0.01)
    resamples = draw(owners)
    one, other = resamples.estimate(values), resamples.estimate(-values)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


def test_undefined_cases_are_left_out_and_counted():
    found = draw([1, 1, 2, 3]).estimate(np.array([0.2, np.nan, 0.6, np.nan]))
    assert found.mean == pytest.approx(0.4)
    assert (found.cases_used, found.cases_total, found.patients) == (2, 4, 2)


def test_equal_values_have_a_percentile_interval_without_width():
    found = draw(range(9)).estimate(np.full(9, 0.7))
    assert (found.mean, found.low, found.high, found.interval) == (
        pytest.approx(0.7),
        found.mean,
        found.mean,
        "percentile",
    )


@pytest.mark.parametrize(("values", "mean"), [([0.7, 0.8], 0.75), ([np.nan, np.nan], None)])
def test_one_patient_or_none_has_no_interval(values, mean):
    found = draw([1, 1]).estimate(np.array(values))
    assert (found.mean, found.low, found.high, found.interval) == (mean, None, None, "none")


def test_two_datasets_are_drawn_independently_and_one_always_alike():
    assert np.array_equal(draw(range(9)).weights, draw(range(9)).weights)
    assert not np.array_equal(draw(range(9)).weights, draw(range(9), name="Livers").weights)


@pytest.mark.slow
def test_95_percent_intervals_cover_the_truth_over_patients_but_not_over_cases():
    generator = np.random.default_rng(8)
    by_patient, by_case = [], []
    for trial in range(1000):
        owners, values = clustered(generator)
        found = draw(owners, samples=1000, name=str(trial)).estimate(values)
        naive = draw(range(len(values)), samples=1000, name=str(trial)).estimate(values)
        by_patient.append(found.low <= 0.8 <= found.high)
        by_case.append(naive.low <= 0.8 <= naive.high)
    assert 0.92 <= np.mean(by_patient) <= 0.97
    assert np.mean(by_case) < 0.80
