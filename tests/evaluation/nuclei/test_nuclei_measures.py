"""Measures of nuclei against definitions written out nucleus by nucleus."""

import itertools
import math
import time

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from medarch.core.errors import EvaluationError
from medarch.evaluation.nuclei.aggregated_jaccard import aggregated_jaccard
from medarch.evaluation.nuclei.assign_by_overlap import assign_by_overlap
from medarch.evaluation.nuclei.centroids import centroids
from medarch.evaluation.nuclei.detection_scores import PairedTypes, detection_scores
from medarch.evaluation.nuclei.multi_class_quality import multi_class_quality
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.pair_centroids import pair_centroids
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.evaluation.nuclei.panoptic_quality_of_types import panoptic_quality_of_types
from medarch.evaluation.nuclei.pixel_dice import pixel_dice


def discs(seed, *, size=160, count=30, gap=1, shift=1.5):
    """Two readings of one image: discs, and the same discs moved, some lost, some new, some halved."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    truth, found = np.zeros((2, size, size), np.int32)
    for number in range(1, count + 1):
        y, x = generator.uniform(5, size - 5, 2)
        radius = generator.uniform(4, 12)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        truth[disc & (truth == 0)] = gap * number
        dy, dx = generator.normal(0, shift, 2)
        moved = (rows - y - dy) ** 2 + (columns - x - dx) ** 2 < (radius * generator.uniform(0.7, 1.2)) ** 2
        kind = generator.uniform()
        if kind < 0.8:
            found[moved & (found == 0)] = number
        if kind < 0.2:
            found[moved & (columns > x)] = 1000 + number
    return truth, found


def masks_of(labels):
    return {number: labels == number for number in np.unique(labels) if number}


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def defined_pq(truth, found):
    truths, founds = masks_of(truth), masks_of(found)
    hits = [value for t, f in itertools.product(truths, founds) if (value := iou(truths[t], founds[f])) > 0.5]
    denominator = len(hits) + 0.5 * (len(founds) - len(hits)) + 0.5 * (len(truths) - len(hits))
    return len(hits) / denominator, sum(hits) / len(hits), sum(hits) / denominator


def defined_aji(truth, found, *, one_to_one):
    truths, founds = masks_of(truth), masks_of(found)
    table = np.array([[iou(t, f) for f in founds.values()] for t in truths.values()])
    names = list(founds)
    if one_to_one:
        partner = {
            row: column for row, column in zip(*linear_sum_assignment(-table), strict=True) if table[row, column]
        }
    else:
        partner = {row: int(table[row].argmax()) for row in range(len(table)) if table[row].any()}
    shared = union = 0
    for row, mask in enumerate(truths.values()):
        other = founds[names[partner[row]]] if row in partner else np.zeros_like(mask)
        shared += (mask & other).sum()
        union += (mask | other).sum()
    used = {names[column] for column in partner.values()}
    return shared / (union + sum(mask.sum() for name, mask in founds.items() if name not in used))


@pytest.mark.parametrize("seed", range(4))
def test_measures_equal_their_definitions(seed):
    truth, found = discs(seed, gap=1 + 6 * (seed % 2))
    table = overlap_table(truth, found)
    quality = panoptic_quality(table)
    measured = (quality.detection, quality.segmentation, quality.quality)
    assert measured == pytest.approx(defined_pq(truth, found), abs=1e-12)
    for one_to_one in (False, True):
        expected = defined_aji(truth, found, one_to_one=one_to_one)
        assert aggregated_jaccard(table, one_to_one=one_to_one) == pytest.approx(expected, abs=1e-12)
    both = ((truth > 0) & (found > 0)).sum()
    assert pixel_dice(table) == pytest.approx(2 * both / ((truth > 0).sum() + (found > 0).sum()), abs=1e-12)
    assert 0.2 < quality.quality < 0.9  # neither trivial


def test_the_table_holds_every_pair_that_overlaps_in_2d_and_3d():
    truth, found = discs(5)
    stacked = np.stack([truth, np.roll(truth, 2, 0)]), np.stack([found, found])
    for one, other in ((truth, found), stacked):
        table = overlap_table(one, other)
        numbers = zip(table.truth_numbers[table.truth_index], table.found_numbers[table.found_index], strict=True)
        assert dict(zip(numbers, table.overlap, strict=True)) == {
            (t, f): count
            for t in np.unique(one[one > 0])
            for f in np.unique(other[other > 0])
            if (count := ((one == t) & (other == f)).sum())
        }


def test_huge_numbers_and_many_nuclei_take_the_other_way_to_the_same_table():
    truth, found = discs(1)
    plain, sparse = overlap_table(truth, found), overlap_table(truth.astype(np.int64) * 10**9, found)
    np.testing.assert_array_equal(plain.overlap, sparse.overlap)
    np.testing.assert_array_equal(plain.truth_area, sparse.truth_area)
    grid = np.arange(90_000).reshape(300, 300)
    each = overlap_table(grid, grid)
    assert (panoptic_quality(each).hits, each.overlap.max()) == (89_999, 1)
    assert len(assign_by_overlap(overlap_table(grid[:30], grid[:30]))) == 8999


def test_assignment_by_groups_is_the_best_of_all():
    for seed in range(6):
        truth, found = discs(seed, count=40, shift=6)
        table = overlap_table(truth, found)
        gain = np.zeros((len(table.truth_numbers), len(table.found_numbers)))
        gain[table.truth_index, table.found_index] = table.iou
        best = gain[linear_sum_assignment(-gain)].sum()
        chosen = assign_by_overlap(table)
        assert table.iou[chosen].sum() == pytest.approx(best, abs=1e-12)
        assert len(set(table.truth_index[chosen])) == len(set(table.found_index[chosen])) == len(chosen)


def test_empty_images_have_no_score_and_missing_everything_has_score_0():
    truth, _ = discs(0)
    nothing = np.zeros_like(truth)
    empty = overlap_table(nothing, nothing)
    assert all(
        math.isnan(value) for value in (pixel_dice(empty), aggregated_jaccard(empty), panoptic_quality(empty).quality)
    )
    for one, other in ((truth, nothing), (nothing, truth)):
        table = overlap_table(one, other)
        assert panoptic_quality(table).quality == 0
        assert aggregated_jaccard(table) == aggregated_jaccard(table, one_to_one=True) == pixel_dice(table) == 0


def test_images_that_do_not_belong_together_are_refused():
    with pytest.raises(EvaluationError, match="differ in size"):
        overlap_table(np.zeros((4, 4), int), np.zeros((4, 5), int))
    for wrong in (np.full((2, 2), -1), np.zeros((2, 2), float)):
        with pytest.raises(EvaluationError, match="something else"):
            overlap_table(wrong, np.zeros((2, 2), int))


def with_types(labels, seed):
    numbers = np.unique(labels[labels > 0])
    return numbers, np.random.default_rng(seed).integers(1, 4, len(numbers))


def only(labels, numbers, types, kind):
    return np.where(np.isin(labels, numbers[types == kind]), labels, 0)


def test_quality_of_types_is_that_of_images_without_the_others():
    images = []
    for seed in range(4):
        truth, found = discs(seed)
        (truth_numbers, truth_types), (found_numbers, found_types) = (
            with_types(truth, seed),
            with_types(found, seed + 9),
        )
        found_types[found_types == 3] = 4  # types 3 and 4 are on one side each
        counts = panoptic_quality_of_types(overlap_table(truth, found), truth_types, found_types, 4)
        for kind in range(1, 5):
            alone = overlap_table(
                only(truth, truth_numbers, truth_types, kind), only(found, found_numbers, found_types, kind)
            )
            expected = panoptic_quality(alone)
            assert (counts[kind - 1].hits, counts[kind - 1].spurious, counts[kind - 1].missed) == (
                expected.hits,
                expected.spurious,
                expected.missed,
            )
            assert counts[kind - 1].iou_sum == pytest.approx(expected.iou_sum, abs=1e-12)
        images.append(counts)
    quality = multi_class_quality(images)
    pooled = [sum((image[kind] for image in images), PanopticQuality()).quality for kind in range(4)]
    assert quality.per_type == pytest.approx(pooled)
    assert quality.pooled == pytest.approx(np.mean(pooled))
    # PanNuke leaves type 4 out, which no reference has, so what is found of it costs nothing there.
    assert quality.per_image == pytest.approx(
        np.mean([np.mean([one.quality for one in image[:3]]) for image in images])
    )
    assert quality.spurious_of_absent_types == sum(image[3].spurious for image in images) > 0


def test_what_is_found_where_the_type_is_not_known_counts_for_no_type():
    truth, _ = discs(2)
    numbers = np.unique(truth[truth > 0])
    known = np.ones(len(numbers), int)
    known[::2] = 0
    [counts] = panoptic_quality_of_types(overlap_table(truth, truth), known, np.ones(len(numbers), int), 1)
    assert (counts.hits, counts.spurious, counts.missed) == (known.sum(), 0, 0)


def test_centres_are_those_of_scipy():
    from scipy import ndimage

    truth, _ = discs(3, gap=4)
    numbers, centres = centroids(truth)
    np.testing.assert_allclose(centres, ndimage.center_of_mass(truth > 0, truth, numbers))


def test_f_scores_of_a_case_counted_by_hand():
    truth = np.array([[0, 0], [0, 50], [0, 100], [0, 150], [0, 200.0]])
    found = np.array([[0, 3], [12, 50], [0, 113], [0, 150], [90, 90.0]])
    rows, columns = pair_centroids(truth, found)
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (1, 1), (3, 3)]  # 12 pixels are near, 13 are not
    image = PairedTypes(np.array([1, 1, 2]), np.array([1, 2, 2]), np.array([1, 2]), np.array([1, 1]))
    scores = detection_scores([image], 3)
    assert scores.detection == 6 / (6 + 2 + 2)
    # Type 1: one right, one taken for another, one missed, two spurious. Type 2: one right, one too many, one missed.
    assert scores.per_type[:2] == (2 / (2 + 2 + 3), 2 / (2 + 2 + 1))
    assert math.isnan(scores.per_type[2])
    both = detection_scores([image, image], 3)
    assert both.per_type[:2] == scores.per_type[:2]


def test_nothing_to_pair_and_unknown_types():
    assert [len(side) for side in pair_centroids(np.zeros((0, 2)), np.ones((3, 2)))] == [0, 0]
    unknown = PairedTypes(np.array([0, 1]), np.array([1, 1]), np.array([0]), np.zeros(0, int))
    assert detection_scores([unknown], 1).per_type == (1.0,)
    assert math.isnan(detection_scores([]).detection)


def test_an_image_of_a_million_pixels_and_500_nuclei_takes_less_than_a_tenth_of_a_second():
    truth, found = discs(7, size=1000, count=500)
    best = math.inf
    for _ in range(3):
        begin = time.process_time()
        table = overlap_table(truth, found)
        pixel_dice(table)
        panoptic_quality(table)
        aggregated_jaccard(table)
        aggregated_jaccard(table, one_to_one=True)
        best = min(best, time.process_time() - begin)
    assert best < 0.1
