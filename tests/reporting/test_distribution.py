"""Dots and boxes stand where the numbers are."""

import re

import numpy as np

from medarch.reporting.case_scores import case_scores
from medarch.reporting.distribution import distribution

SCORES = {"a": 0.52, "b": 0.61, "c": 0.7, "d": 0.86, "e": 0.9, "f": 0.95, "g": 1.0}


def _value(percent, low=0.5):
    return low + (float(percent) - 2) / 95 * (1 - low)


def test_dots_and_box_stand_at_the_values_of_numpy(evaluation_of):
    evaluation = evaluation_of(SCORES)
    figure = distribution(evaluation, case_scores(evaluation))
    first = figure.split("<g>")[2]  # after the axis: foreground
    dots = sorted(_value(x) for x in re.findall(r'cx="([\d.]+)%"', first))
    np.testing.assert_allclose(dots, sorted(SCORES.values()), atol=1e-3)
    box = re.search(r'<rect x="([\d.]+)%" width="([\d.]+)%"', first)
    quartiles = np.percentile(list(SCORES.values()), (25, 75))
    np.testing.assert_allclose(_value(box[1]), quartiles[0], atol=1e-3)
    np.testing.assert_allclose(float(box[2]) / 95 * 0.5, np.diff(quartiles)[0], atol=1e-3)


def test_every_dot_stays_inside_the_axis(evaluation_of):
    evaluation = evaluation_of({"a": 0.0, "b": 0.4, "c": 1.0})
    figure = distribution(evaluation, case_scores(evaluation))
    assert all(0 <= float(x) <= 100 for x in re.findall(r'cx="([\d.]+)%"', figure))


def test_undefined_scores_have_no_dot(evaluation_of):
    evaluation = evaluation_of({"a": None, "b": 0.4})
    assert distribution(evaluation, case_scores(evaluation)).count("<circle") == 2  # b, in foreground and in its class


def test_failed_cases_rank_before_the_worst_score(evaluation_of):
    evaluation = evaluation_of({"good": 0.9, "lost": None, "bad": 0.1, "empty": None})
    rows = [row.model_copy(update={"status": "failed"}) if row.case == "lost" else row for row in evaluation.rows]
    scores = case_scores(evaluation.model_copy(update={"rows": tuple(rows)}))
    assert [score.case for score in scores] == ["lost", "bad", "good", "empty"]
