import numpy as np

from medarch.core.labels import LabelScheme
from medarch.preprocessing.sample_locations import ANNOTATED, sample_locations

PLAIN = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "c": 3})
IGNORING = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "ignore": 3})


def test_every_voxel_of_a_small_label_is_kept_once():
    label = np.random.default_rng(0).integers(-1, 3, size=(9, 10, 11)).astype(np.int16)
    locations = sample_locations(label, PLAIN)
    assert sorted(locations) == [1, 2]  # no background, no outside, no label that does not occur
    for value, voxels in locations.items():
        np.testing.assert_array_equal(voxels, np.argwhere(label == value))


def test_large_labels_keep_ten_thousand_voxels_or_one_percent():
    label = np.ones((110, 110, 110), dtype=np.int16)
    label[:3] = 2
    locations = sample_locations(label, PLAIN)
    assert {value: len(voxels) for value, voxels in locations.items()} == {1: 12947, 2: 10000}
    for value, voxels in locations.items():
        assert (label[tuple(voxels.T)] == value).all()
        assert len(np.unique(voxels, axis=0)) == len(voxels)
        assert np.abs(voxels.mean(axis=0)[1:] - 54.5).max() < 1.5  # spread over the whole label


def test_annotated_voxels_are_all_but_the_ignored_ones():
    label = np.random.default_rng(0).integers(-1, 4, size=(9, 10, 11)).astype(np.int16)
    locations = sample_locations(label, IGNORING)
    assert sorted(locations) == [ANNOTATED, 1, 2]
    np.testing.assert_array_equal(locations[ANNOTATED], np.argwhere(label != 3))


def test_an_empty_label_map_has_no_locations():
    assert sample_locations(np.zeros((4, 5, 6), dtype=np.int16), PLAIN) == {}


def test_the_draw_is_repeatable():
    label = np.ones((40, 40, 40), dtype=np.int16)
    first, second = (sample_locations(label, PLAIN)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)
