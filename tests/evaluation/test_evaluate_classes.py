"""Measures of classifications against scikit-learn, and what happens to failed cases and patients."""

import numpy as np
import pytest
from sklearn import metrics

from medarch.core.classes import ClassScheme
from medarch.core.errors import EvaluationError
from medarch.core.prediction import CasePrediction
from medarch.evaluation.classification.class_measures import class_measures
from medarch.evaluation.classification.evaluate_classes import Reference, evaluate_classes
from medarch.evaluation.classification.judgements import Judgements
from medarch.evaluation.classification.overall_measures import overall_measures

NAMES = ("none", "benign", "malignant")


def three_classes(*, cases=60, seed=0):
    """Probabilities that know something of the truth, rounded so that there are ties."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, cases, p=(0.6, 0.3, 0.1))
    scores = rng.random((cases, 3)) + 0.6 * np.eye(3)[truth]
    shares = np.round(scores / scores.sum(1, keepdims=True), 2)
    return truth, shares / shares.sum(1, keepdims=True)


def judged(truth, shares):
    return Judgements(np.eye(3, dtype=bool)[truth], np.eye(3, dtype=bool)[shares.argmax(1)], shares, multi_label=False)


def rows(truth, shares, *, names=NAMES):
    return [
        CasePrediction(
            case=f"c{number:03d}",
            status="done",
            images=(),
            classes=(names[share.argmax()],),
            class_probabilities=dict(zip(names, share.tolist(), strict=True)),
        )
        for number, share in enumerate(shares)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_measures_equal_scikit_learn(seed):
    truth, shares = three_classes(seed=seed)
    found = judged(truth, shares)
    once = np.ones((1, len(truth)))
    classes = [class_measures(found, index, once) for index in range(3)]
    decided = shares.argmax(1)
    for index, measures in enumerate(classes):
        own, score = truth == index, shares[:, index]
        assert measures["auroc"][0] == pytest.approx(metrics.roc_auc_score(own, score))
        assert measures["auprc"][0] == pytest.approx(metrics.average_precision_score(own, score))
        assert measures["f1"][0] == pytest.approx(metrics.f1_score(own, decided == index))
        assert measures["sensitivity"][0] == pytest.approx(metrics.recall_score(own, decided == index))
        assert measures["specificity"][0] == pytest.approx(metrics.recall_score(~own, decided != index))
    overall = overall_measures(found, classes, once)
    expected = {
        "auroc": metrics.roc_auc_score(truth, shares, multi_class="ovr"),
        "accuracy": metrics.accuracy_score(truth, decided),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, decided),
        "f1": metrics.f1_score(truth, decided, average="macro"),
        "brier": metrics.brier_score_loss(truth, shares, scale_by_half=True),
    }
    assert {name: overall[name][0] for name in expected} == pytest.approx(expected)


def test_findings_equal_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.random((50, 4)) < (0.2, 0.5, 0.1, 0.7)
    shares = np.clip(rng.random((50, 4)) * 0.7 + 0.3 * truth, 0, 1)
    found = Judgements(truth, shares > 0.5, shares, multi_label=True)
    once = np.ones((1, 50))
    overall = overall_measures(found, [class_measures(found, index, once) for index in range(4)], once)
    each = [metrics.balanced_accuracy_score(truth[:, index], shares[:, index] > 0.5) for index in range(4)]
    assert overall["auroc"][0] == pytest.approx(metrics.roc_auc_score(truth, shares))
    assert overall["auprc"][0] == pytest.approx(metrics.average_precision_score(truth, shares))
    assert overall["accuracy"][0] == pytest.approx(metrics.accuracy_score(truth, shares > 0.5))
    assert overall["balanced_accuracy"][0] == pytest.approx(np.mean(each))
    assert overall["brier"][0] == pytest.approx(np.mean((shares - truth) ** 2))


def test_a_weight_counts_as_so_many_copies_of_a_case():
    truth, shares = three_classes()
    times = np.random.default_rng(1).integers(0, 4, len(truth))
    once = judged(truth, shares)
    copied = judged(np.repeat(truth, times), np.repeat(shares, times, axis=0))
    weights, ones = times[None].astype(float), np.ones((1, times.sum()))
    classes = [class_measures(once, index, weights) for index in range(3)]
    copies = [class_measures(copied, index, ones) for index in range(3)]
    for found, expected in zip(classes, copies, strict=True):
        assert values(found) == pytest.approx(values(expected))
    expected = overall_measures(copied, copies, ones)
    assert values(overall_measures(once, classes, weights)) == pytest.approx(values(expected))


def values(measures):
    return {name: float(value[0]) for name, value in measures.items()}


def test_calibration_error_by_hand():
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    truth = np.eye(2, dtype=bool)[[0, 0, 1, 0]]
    found = Judgements(truth, shares > 0.5, shares, multi_label=False)
    once = np.ones((1, 4))
    error = overall_measures(found, [class_measures(found, index, once) for index in range(2)], once)["ece"][0]
    # Two sure cases, both right: 0.1 off; two at 0.7, one right: 0.2 off.
    assert error == pytest.approx(0.5 * 0.1 + 0.5 * 0.2)


def test_curves_confusion_and_reliability_stand_in_the_record():
    truth, shares = three_classes()
    references = {f"c{number:03d}": Reference((NAMES[index],)) for number, index in enumerate(truth)}
    evaluation = evaluate_classes(rows(truth, shares), references, classes=ClassScheme(names=NAMES))
    assert evaluation.confusion == tuple(map(tuple, metrics.confusion_matrix(truth, shares.argmax(1)).tolist()))
    assert sum(each.count for each in evaluation.reliability) == len(truth)
    for index, summary in enumerate(evaluation.summaries[1:]):
        false, true, _ = metrics.roc_curve(truth == index, shares[:, index], drop_intermediate=False)
        assert np.array(summary.roc) == pytest.approx(np.stack([false, true], axis=1))
    assert type(evaluation).parse(evaluation.to_json()) == evaluation
    assert evaluation.mean() == evaluation.summaries[0].measures["auroc"].mean


def test_a_failed_or_missing_case_counts_as_wrong():
    truth, shares = three_classes()
    references = {f"c{number:03d}": Reference((NAMES[index],)) for number, index in enumerate(truth)}
    good = rows(truth, shares)
    right = [row.case for row in good if (row.classes or ())[0] == references[row.case].classes[0]]
    failed = CasePrediction(case=right[0], status="failed", images=(), error="E300 damaged")
    kept = [row for row in good if row.case not in right[:2]]
    classes = ClassScheme(names=NAMES)
    before = evaluate_classes(good, references, classes=classes)
    after = evaluate_classes([*kept, failed], references, classes=classes)
    lost = before.mean(measure="accuracy") - after.mean(measure="accuracy")
    assert lost == pytest.approx(2 / len(truth))
    assert after.mean() < before.mean()
    assert {row.case: row.reason for row in after.rows if row.status == "failed"} == {
        right[0]: "E300 damaged",
        right[1]: "not predicted",
    }


def test_a_failed_case_without_findings_is_wrong_too():
    classes = ClassScheme(names=("effusion",), multi_label=True)
    evaluation = evaluate_classes([], {"a": Reference(())}, classes=classes)
    assert evaluation.mean(measure="accuracy") == 0


def test_cases_of_one_patient_are_drawn_together_so_copies_make_no_interval_narrower():
    truth, shares = three_classes(cases=40)
    singles = {f"c{number:03d}": Reference((NAMES[index],), f"p{number}") for number, index in enumerate(truth)}
    classes = ClassScheme(names=NAMES)
    one = evaluate_classes(rows(truth, shares), singles, classes=classes)
    copied = np.repeat(np.arange(40), 5)
    fives = {f"c{n:03d}": Reference((NAMES[truth[index]],), f"p{index}") for n, index in enumerate(copied)}
    many = evaluate_classes(rows(truth[copied], shares[copied]), fives, classes=classes)
    widths = []
    for evaluation in (one, many):
        assert evaluation.patients == 40
        interval = evaluation.summaries[0].measures["accuracy"]
        assert interval.low < interval.mean < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_the_interval_covers_the_true_area_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    true_area, covered = 0.7602, 0  # of normals one standard deviation apart: Φ(1 / √2)
    for _ in range(60):
        truth = rng.random(80) < 0.4
        scores = 1 / (1 + np.exp(-(rng.normal(size=80) + truth)))
        shares = np.stack([1 - scores, scores], axis=1)
        names = ("no", "yes")
        references = {f"c{number:03d}": Reference((names[int(own)],)) for number, own in enumerate(truth)}
        predictions = rows(truth, shares, names=names)
        found = evaluate_classes(predictions, references, classes=ClassScheme(names=names), bootstrap_samples=300)
        interval = found.summaries[0].measures["auroc"]
        covered += interval.low <= true_area <= interval.high
    assert covered >= 51  # 57 expected of 60


def test_a_prediction_without_a_reference_is_refused():
    with pytest.raises(EvaluationError, match="without a reference"):
        evaluate_classes(rows(*three_classes()), {"c000": Reference(("none",))}, classes=ClassScheme(names=NAMES))
