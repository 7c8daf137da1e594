"""Rankings against scipy, and against truths that are known beforehand."""

import numpy as np
import pytest

from medarch.evaluation.cluster_bootstrap import ClusterBootstrap
from medarch.evaluation.rank_stability import rank_stability


def rank(values, *, higher=True, patients=None):
    methods = [f"m{index}" for index in range(len(values))]
    owners = patients or [str(case) for case in range(values.shape[1])]
    resamples = ClusterBootstrap.draw(owners, samples=500, confidence=0.95, name="Hearts")
    return rank_stability("dsc", methods, values, resamples, higher_is_better=higher)


@pytest.fixture
def close():
    """Five methods that 40 cases can hardly order, two of them equal."""
    generator = np.random.default_rng(0)
    values = generator.beta(8, 2, 40) + generator.normal(0, 0.03, (5, 40)) + 0.003 * np.arange(5)[:, np.newaxis]
    values[4] = values[3]
    return values


def test_tau_of_each_sample_equals_scipys(close):
    from scipy import stats

    ranking, drawn = rank(close)
    full = [entry.rank for entry in ranking.ranks]
    taus = np.array([stats.kendalltau(sample, full).statistic for sample in drawn])
    assert ranking.kendall_tau == pytest.approx(taus.mean())
    for quantile, value in ranking.kendall_quantiles.items():
        assert value == pytest.approx(np.quantile(taus, quantile))
    assert 0.3 < ranking.kendall_tau < 1


def test_ranks_equal_scipys_and_ties_share_their_mean(close):
    from scipy import stats

    ranking, drawn = rank(close)
    assert [entry.rank for entry in ranking.ranks] == stats.rankdata(-close.mean(axis=1)).tolist()
    by_case = stats.rankdata(-close, axis=0).mean(axis=1)
    assert [entry.mean_case_rank for entry in ranking.ranks] == pytest.approx(by_case)
    assert np.all(drawn.sum(axis=1) == 1 + 2 + 3 + 4 + 5)


def test_shares_of_ranks_add_up_and_lie_within_the_interval(close):
    ranking, _ = rank(close)
    for entry in ranking.ranks:
        assert sum(entry.shares.values()) == pytest.approx(1)
        assert sum(share for place, share in entry.shares.items() if entry.low <= place <= entry.high) >= 0.95
        assert {entry.low, entry.high} <= entry.shares.keys()


def test_methods_far_apart_keep_their_ranks_in_every_sample():
    values = np.random.default_rng(1).normal(0, 0.001, (3, 20)) + np.array([[0.5], [0.9], [0.7]])
    ranking, _ = rank(values)
    assert [(entry.low, entry.rank, entry.high) for entry in ranking.ranks] == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]
    assert ranking.kendall_tau == 1


def test_of_a_distance_the_smallest_is_first():
    ranking, _ = rank(np.array([[3.0, 4.0], [1.0, 2.0]]), higher=False)
    assert [entry.rank for entry in ranking.ranks] == [2, 1]


def test_identical_methods_share_every_rank_and_have_no_tau():
    ranking, _ = rank(np.tile(np.random.default_rng(2).random(12), (3, 1)))
    assert [(entry.low, entry.rank, entry.high) for entry in ranking.ranks] == [(2, 2, 2)] * 3
    assert ranking.kendall_tau is None


def test_cases_that_one_method_lacks_have_no_case_rank():
    ranking, _ = rank(np.array([[0.5, np.nan, 0.9], [0.6, 0.0, 0.8]]))
    assert ranking.cases_ranked == 2
    assert [entry.mean_case_rank for entry in ranking.ranks] == [1.5, 1.5]


def test_without_any_score_of_a_method_there_is_no_ranking():
    assert rank(np.array([[0.5, 0.4], [np.nan, np.nan]])) is None
