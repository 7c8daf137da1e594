"""The same measures by MONAI, and by HoVerNet's authors where their code is at hand."""

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from test_nuclei_measures import discs

from medarch.evaluation.nuclei.aggregated_jaccard import aggregated_jaccard
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.pair_centroids import pair_centroids
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.evaluation.nuclei.pixel_dice import pixel_dice


def without_gaps(labels):
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def test_pooled_panoptic_quality_is_monais():
    from monai.metrics import PanopticQualityMetric

    metric = PanopticQualityMetric(num_classes=1, metric_name=["pq", "sq", "rq"], smooth_numerator=1e-12)
    total = PanopticQuality()
    for seed in range(3):
        truth, found = map(without_gaps, discs(seed))
        total = total + panoptic_quality(overlap_table(truth, found))
        metric(*(torch.from_numpy(np.stack([one, one > 0]).astype(np.int32))[None] for one in (found, truth)))
    measured = (total.quality, total.segmentation, total.detection)
    assert [float(value) for value in metric.aggregate()] == pytest.approx(measured, abs=1e-6)


@pytest.mark.peer
def test_measures_are_the_authors():
    folder = os.environ.get("MEDARCH_HOVERNET_SOURCE", "")
    if not (Path(folder) / "metrics" / "stats_utils.py").is_file():
        pytest.skip("MEDARCH_HOVERNET_SOURCE names no checkout of hover_net")
    sys.modules.setdefault("cv2", types.ModuleType("cv2"))
    sys.path.insert(0, folder)
    try:
        from metrics import stats_utils
    finally:
        sys.path.remove(folder)
    for seed in range(3):
        truth, found = map(without_gaps, discs(seed))
        table = overlap_table(truth, found)
        quality = panoptic_quality(table)
        theirs = stats_utils.get_fast_pq(truth, found)[0]
        # They add 1e-6 to denominators.
        assert theirs == pytest.approx([quality.detection, quality.segmentation, quality.quality], abs=1e-6)
        assert stats_utils.get_fast_aji(truth, found) == pytest.approx(aggregated_jaccard(table), abs=1e-9)
        plus = aggregated_jaccard(table, one_to_one=True)
        assert stats_utils.get_fast_aji_plus(truth, found) == pytest.approx(plus, abs=1e-9)
        assert stats_utils.get_dice_1(truth, found) == pytest.approx(pixel_dice(table), abs=1e-9)
        points = np.random.default_rng(seed).uniform(0, 80, (2, 25, 2))
        pairs, *_ = stats_utils.pair_coordinates(points[0], points[1], 12)
        assert np.array_equal(pairs, np.stack(pair_centroids(points[0], points[1]), axis=1))
