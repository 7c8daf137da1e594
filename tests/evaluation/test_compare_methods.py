"""The whole comparison, on studies whose answer is known."""

import time

import numpy as np
import pytest
from small_study import join_results, make_result

from medarch.core.comparison import Comparison
from medarch.core.errors import EvaluationError
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap
from medarch.evaluation.compare_methods import compare_methods
from medarch.evaluation.holm import holm
from medarch.evaluation.paired_difference import paired_difference

GENERATOR = np.random.default_rng(0)
BASE = GENERATOR.beta(9, 2, 60)
NOISE = GENERATOR.normal(0, 0.02, (3, 60))


def compare(scores, **keywords):
    return compare_methods(make_result(scores, **keywords), bootstrap_samples=500)


def dsc_pairs(dataset):
    return [pair for pair in dataset.pairs if pair.measure == "dsc"]


def score(dataset, method, label="foreground"):
    return next(entry for entry in dataset.scores if (entry.method, entry.label) == (method, label))


def test_holm_equals_statsmodels():
    # statsmodels 0.15.0: multipletests(p, method="holm")[1]
    p_values = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04, 0.9, 1e-6, 0.013]
    assert holm(p_values) == pytest.approx([0.07, 0.16, 0.15, 0.04, 0.4, 0.16, 0.9, 9e-06, 0.078])
    assert holm([]) == []


def test_darwins_plants_have_their_published_p_value_and_effect():
    # Conover (1999), the example of scipy.stats.wilcoxon: W- = 24 of 120, p = 0.0413.
    differences = np.array([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75.0])
    resamples = ClusterBootstrap.draw([f"{i:02d}" for i in range(15)], samples=500, confidence=0.95, name="plants")
    found = paired_difference(differences, np.zeros(15), resamples, higher_is_better=True)
    assert found.p_value == pytest.approx(0.041259765625)
    assert found.rank_biserial == pytest.approx((96 - 24) / 120)
    assert (found.wins, found.ties, found.losses) == (13, 0, 2)


def test_the_test_sees_one_difference_a_patient():
    from scipy import stats

    patients = [f"p{index // 3:02d}" for index in range(60)]
    found = compare({"old": BASE, "new": BASE + NOISE[0] + 0.01}, patients=patients)
    means = (NOISE[0] + 0.01).reshape(20, 3).mean(axis=1)
    pair = dsc_pairs(found.datasets[0])[0]
    assert pair.p_value == pytest.approx(stats.wilcoxon(means, zero_method="pratt").pvalue)
    assert pair.wins == (means > 0).sum()
    assert pair.difference.patients == 20
    assert pair.difference.mean == pytest.approx(means.mean())


def test_identical_methods_show_no_detectable_difference_and_p_1():
    pair = dsc_pairs(compare({"one": BASE, "same": BASE}).datasets[0])[0]
    assert (pair.p_value, pair.holm_p, pair.rank_biserial) == (1, 1, 0)
    assert (pair.wins, pair.ties, pair.losses) == (0, 60, 0)
    assert pair.verdict == "no detectable difference"


def test_two_draws_of_one_method_show_no_detectable_difference():
    pair = dsc_pairs(compare({"one": BASE + NOISE[0], "other": BASE + NOISE[1]}).datasets[0])[0]
    assert pair.difference.low < 0 < pair.difference.high
    assert pair.verdict == "no detectable difference"


def test_a_shifted_method_is_better_and_its_mirror_is_worse():
    better = dsc_pairs(compare({"old": BASE, "new": BASE + NOISE[0] + 0.02}).datasets[0])[0]
    worse = dsc_pairs(compare({"new": BASE + NOISE[0] + 0.02, "old": BASE}).datasets[0])[0]
    assert (better.method, better.baseline, better.verdict) == ("new", "old", "better")
    assert (worse.method, worse.baseline, worse.verdict) == ("old", "new", "worse")
    assert worse.difference.low == pytest.approx(-better.difference.high)
    assert worse.rank_biserial == pytest.approx(-better.rank_biserial)
    assert worse.p_value == pytest.approx(better.p_value)


def test_a_longer_distance_is_worse_and_has_no_p_value():
    found = compare({"old": BASE, "new": BASE + NOISE[0] - 0.02}).datasets[0]
    pair = next(pair for pair in found.pairs if pair.measure == "hd95_mm")
    assert pair.difference.mean > 0
    assert (pair.verdict, pair.p_value) == ("worse", None)
    assert pair.rank_biserial < 0


def test_holm_counts_the_pairs_of_every_dataset():
    studies = [
        make_result({"a": BASE, "b": BASE + NOISE[0] + 0.004, "c": BASE + NOISE[1]}, dataset=name) for name in "XY"
    ]
    found = compare_methods(join_results(studies), bootstrap_samples=500)
    pairs = [pair for dataset in found.datasets for pair in dsc_pairs(dataset)]
    assert found.comparisons == len(pairs) == 6
    assert [pair.holm_p for pair in pairs] == pytest.approx(holm([pair.p_value for pair in pairs]))


def test_what_the_correction_takes_back_is_not_confirmed():
    shifted = BASE + NOISE[0] - NOISE[0].mean() + 0.0068
    alone = dsc_pairs(compare({"a": BASE, "b": shifted}).datasets[0])[0]
    assert alone.verdict == "better"
    assert 0.01 < alone.p_value < 0.05
    many = [make_result({"a": BASE, "b": shifted}, dataset="X")]
    many += [make_result({"a": BASE, "b": BASE + NOISE[1]}, dataset=f"D{index}") for index in range(9)]
    pair = dsc_pairs(compare_methods(join_results(many), bootstrap_samples=500).datasets[0])[0]
    assert pair.p_value == alone.p_value
    assert pair.verdict == "not confirmed"


def test_order_of_rows_methods_and_datasets_changes_no_number():
    scores = {"a": BASE, "b": BASE + NOISE[0], "c": BASE + NOISE[1]}
    result = join_results([make_result(scores, dataset=name, folds=3) for name in ("X", "Y")])
    shuffled = result.model_copy(
        update={
            "rows": tuple(result.rows[index] for index in np.random.default_rng(1).permutation(len(result.rows))),
            "runs": result.runs[::-1],
            "methods": ("b", "a", "c"),
            "datasets": ("Y", "X"),
        }
    )
    first = compare_methods(result, bootstrap_samples=500)
    second = compare_methods(shuffled, bootstrap_samples=500)
    ours, theirs = first.datasets[0], second.datasets[1]
    for method in scores:
        assert score(ours, method) == score(theirs, method)
    signs = {("b", "a"): -1}
    found = {(pair.method, pair.baseline): pair for pair in dsc_pairs(theirs)}
    for pair in dsc_pairs(ours):
        sign = signs.get((pair.method, pair.baseline), 1)
        other = found[(pair.method, pair.baseline) if sign == 1 else (pair.baseline, pair.method)]
        assert pair.difference.mean == pytest.approx(sign * other.difference.mean)
        assert pair.holm_p == pytest.approx(other.holm_p)
        assert pair.verdict == other.verdict or sign == -1
    assert {rank.method: rank for rank in first.mean_ranks} == {rank.method: rank for rank in second.mean_ranks}
    assert ours.rankings[0].kendall_tau == pytest.approx(theirs.rankings[0].kendall_tau)


def test_foreground_is_the_mean_over_defined_classes_then_seeds_then_cases():
    values = np.array(
        [
            [[0.8, 0.6], [0.6, 0.6]],  # class a: seeds × cases
            [[0.4, np.nan], [np.nan, np.nan]],  # class b
        ]
    )
    found = compare({"m": values}, labels=("a", "b"), seeds=2).datasets[0]
    assert score(found, "m").measures["dsc"].estimate.mean == pytest.approx(((0.6 + 0.6) / 2 + 0.6) / 2)
    part = score(found, "m", "b")
    assert part.measures["dsc"].estimate.cases_used == 1
    assert part.statuses == {"ok": 1, "empty_both": 3}


def test_spread_over_folds_and_seeds_and_the_worst_case():
    values = np.array([[[0.9, 0.5, 0.7, 0.5], [0.8, 0.4, 0.6, 0.4]]])  # folds: cases 0, 2 and cases 1, 3
    found = compare({"m": values}, seeds=2, folds=2).datasets[0]
    measures = score(found, "m").measures
    assert measures["dsc"].sd_folds == pytest.approx(np.std([0.8, 0.5], ddof=1))
    assert measures["dsc"].sd_seeds == pytest.approx(np.std([0.65, 0.55], ddof=1))
    assert (measures["dsc"].worst, measures["dsc"].worst_case) == (pytest.approx(0.45), "case_001")
    assert measures["hd95_mm"].worst == pytest.approx(55)
    assert measures["dsc"].median == pytest.approx(np.median([0.85, 0.45, 0.65, 0.45]))


def test_separation_is_the_ratio_of_spreads_between_and_within_methods():
    found = compare({"a": BASE, "b": BASE - 0.1}, folds=5).datasets[0]
    folds = np.std([BASE[fold::5].mean() for fold in range(5)], ddof=1)
    assert found.separation.between_sd == pytest.approx(0.1 / np.sqrt(2))
    assert found.separation.within_sd == pytest.approx(folds)
    assert found.separation.ratio == pytest.approx(0.1 / np.sqrt(2) / folds)
    assert compare({"a": BASE, "b": BASE - 0.1}).datasets[0].separation is None


def test_a_case_that_only_one_method_defines_is_counted_and_left_out_of_the_difference():
    spurious = np.array([0.0, *BASE[1:]])
    correct = np.array([np.nan, *BASE[1:]])
    pair = dsc_pairs(compare({"a": correct, "b": spurious}).datasets[0])[0]
    assert (pair.one_sided, pair.difference.cases_used, pair.difference.cases_total) == (1, 59, 60)


@pytest.mark.parametrize(("status", "words"), [("failed", "1 of 6 runs failed: b fold 1"), ("running", "not finished")])
def test_a_dataset_with_a_lost_run_has_a_reason_and_costs_but_no_p_values(status, words):
    result = make_result({"a": BASE, "b": BASE + NOISE[0]}, folds=3)
    runs = [
        run.model_copy(update={"status": status, "error": "out of memory", "attempts": 2})
        if (run.method, run.fold) == ("b", 1)
        else run
        for run in result.runs
    ]
    rows = [row for row in result.rows if (row.method, row.fold) != ("b", 1)]
    broken = result.model_copy(update={"runs": tuple(runs), "rows": tuple(rows)})
    whole = make_result({"a": BASE, "b": BASE + NOISE[0]}, dataset="Livers")
    found = compare_methods(join_results([broken, whole]), bootstrap_samples=500)
    lost, kept = found.datasets
    assert words in lost.unavailable
    assert (lost.pairs, lost.scores, lost.rankings) == ((), (), ())
    assert lost.runs == tuple(runs)
    assert (lost.costs[1].failed_runs, lost.costs[1].attempts) == (int(status == "failed"), 4)
    assert len(dsc_pairs(kept)) == found.comparisons == 1
    assert len(found.mean_ranks) == 2


def test_costs_are_summed_over_runs():
    cost = compare({"a": BASE}, folds=3, seeds=2).datasets[0].costs[0]
    assert (cost.runs, cost.done, cost.attempts, cost.train_hours) == (6, 6, 6, 1.0)
    assert (cost.cpu_hours, cost.seconds_per_case) == (9.0, 2.0)
    assert (cost.peak_memory_bytes, cost.peak_gpu_bytes, cost.parameters) == (2**30, None, 1000)


def test_few_patients_are_flagged_however_many_cases_they_have():
    patients = [f"p{index % 10}" for index in range(60)]
    assert compare({"a": BASE}, patients=patients).datasets[0].few_patients
    assert not compare({"a": BASE}).datasets[0].few_patients


def test_the_comparison_carries_its_conditions_and_survives_json():
    found = compare({"a": BASE, "b": BASE + NOISE[0]}, folds=2)
    assert Comparison.parse(found.to_json()) == found
    assert (found.reference, found.budget, found.bootstrap_samples) == ("a", "3 min wall-clock", 500)
    assert found.software == {"medarch": "0.1.0"}


def _without(result, drop):
    return result.model_copy(update={"rows": tuple(row for row in result.rows if not drop(row))})


def test_missing_cases_and_classes_are_refused_with_names():
    result = make_result({"a": BASE, "b": BASE, "c": BASE}, folds=2, labels=("left", "right"))
    broken = _without(
        result,
        lambda row: (
            (row.method, row.case) in {("b", "case_003"), ("b", "case_005")}
            or (row.method, row.case, row.label) == ("c", "case_000", "right")
        ),
    )
    with pytest.raises(EvaluationError) as caught:
        compare_methods(broken)
    assert "in fold 1, seed 0, b lacks 2: case_003, case_005" in str(caught.value)
    assert "in fold 0, seed 0, c lacks 1: case_000 (right)" in str(caught.value)
    assert "a lacks" not in str(caught.value)


def test_a_case_that_was_asked_for_and_nobody_scored_is_refused():
    broken = _without(make_result({"a": BASE, "b": BASE}), lambda row: row.case == "case_007")
    with pytest.raises(EvaluationError, match=r"a lacks 1: case_007.*b lacks 1: case_007"):
        compare_methods(broken)


def test_a_method_without_a_seed_is_refused():
    result = make_result({"a": BASE, "b": BASE}, seeds=2)
    kept = tuple(run for run in result.runs if (run.method, run.seed) != ("b", 1))
    broken = _without(result, lambda row: (row.method, row.seed) == ("b", 1)).model_copy(update={"runs": kept})
    with pytest.raises(EvaluationError, match=r"in fold 0, seed 1, b lacks 60: case_000.* and 55 more"):
        compare_methods(broken)


def test_repeated_rows_and_contradicting_patients_are_refused():
    result = make_result({"a": BASE, "b": BASE})
    with pytest.raises(EvaluationError, match="occur more than once"):
        compare_methods(result.model_copy(update={"rows": (*result.rows, result.rows[0])}))
    other = result.rows[0].model_copy(update={"patient": "somebody"})
    with pytest.raises(EvaluationError, match="belongs to case_000 and somebody"):
        compare_methods(result.model_copy(update={"rows": (other, *result.rows[1:])}))


def test_done_runs_without_any_score_are_refused():
    with pytest.raises(EvaluationError, match="no scores at all"):
        compare_methods(make_result({"a": BASE}).model_copy(update={"rows": ()}))


@pytest.mark.parametrize("arguments", [{"confidence": 1.0}, {"bootstrap_samples": 0}])
def test_intervals_that_cannot_be_computed_are_refused(arguments):
    with pytest.raises(EvaluationError, match="bootstrap"):
        compare_methods(make_result({"a": BASE}), **arguments)


def test_a_large_study_takes_seconds():
    generator = np.random.default_rng(3)
    scores = {f"m{index}": np.clip(generator.normal(0.8, 0.1, 200), 0, 1) for index in range(5)}
    studies = join_results([make_result(scores, dataset=name, folds=5, labels=("a", "b")) for name in "XYZ"])
    start = time.process_time()
    compare_methods(studies)
    assert time.process_time() - start < 20
