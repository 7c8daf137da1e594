"""Measures of many images summed up."""

import math

import numpy as np
import pytest
from test_nuclei_measures import discs

from medarch.core.nuclei_evaluation import NucleiMeasures
from medarch.evaluation.nuclei.evaluate_nuclei import Compared, Nuclei, compare_nuclei, evaluate_nuclei, types_of
from medarch.evaluation.nuclei.nuclei_tables import format_nuclei_table, write_nuclei_tables
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality


def test_means_are_over_images_and_pools_over_nuclei(tmp_path):
    pairs = [discs(seed, count=10 + 20 * seed) for seed in range(3)]
    compared = [compare_nuclei(f"i{n}", Nuclei(t), Nuclei(f)) for n, (t, f) in enumerate(pairs)]
    evaluation = evaluate_nuclei(compared, dataset="D", predictions="P")
    each = [panoptic_quality(overlap_table(t, f)) for t, f in pairs]
    assert evaluation.mean() == pytest.approx(np.mean([one.quality for one in each]))
    assert evaluation.pooled["pq"] == pytest.approx(sum(each, PanopticQuality()).quality)
    assert evaluation.types == {}
    write_nuclei_tables(evaluation, tmp_path)
    assert type(evaluation).load(tmp_path / "evaluation.json") == evaluation
    assert len((tmp_path / "evaluation.csv").read_text().splitlines()) == 4


def test_perfect_types_have_perfect_scores_and_a_failed_image_is_counted():
    truth, _ = discs(1)
    kinds = {int(number): 1 + int(number) % 2 for number in np.unique(truth[truth > 0])}
    images = [
        compare_nuclei("good", Nuclei(truth, kinds), Nuclei(truth, kinds), types=2),
        Compared(NucleiMeasures(case="bad", status="failed", reason="cut short")),
    ]
    evaluation = evaluate_nuclei(images, dataset="D", predictions="P", names=("even", "odd"))
    assert (evaluation.multi_class_pq, evaluation.multi_class_pq_per_image, evaluation.detection_f) == (1, 1, 1)
    assert evaluation.types == {"even": {"pq": 1.0, "f": 1.0}, "odd": {"pq": 1.0, "f": 1.0}}
    assert evaluation.summaries[0].statuses == {"ok": 1, "failed": 1}
    assert "mPQ+ 1.0000" in format_nuclei_table(evaluation)


def test_the_type_of_a_nucleus_is_that_of_most_of_its_pixels():
    instances = np.array([[1, 1, 1, 0], [2, 2, 5, 5]])
    types = np.array([[1, 2, 2, 0], [3, 3, 1, 1]])
    assert types_of(instances, types, unknown=3) == {1: 2, 2: 0, 5: 1}


def test_empty_images_are_left_out_of_means():
    nothing = np.zeros((20, 20), int)
    evaluation = evaluate_nuclei([compare_nuclei("e", Nuclei(nothing), Nuclei(nothing))], dataset="D", predictions="P")
    assert evaluation.mean() is None
    assert evaluation.detection_f is None or math.isfinite(evaluation.detection_f)
