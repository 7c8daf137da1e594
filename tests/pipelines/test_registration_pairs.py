"""The fixed pairs: what settings are chosen on never touches what is reported."""

import numpy as np
import pytest

from pipelines.benchmarks.registration_pairs import centred, pair_set


@pytest.mark.parametrize(("name", "train", "test", "tuning"), [("hippocampus", 208, 52, 20), ("brain", 15, 5, 10)])
def test_cases_for_settings_and_for_testing_are_apart(shared_data, name, train, test, tuning):
    found = pair_set(name)
    assert (len(found.train), len(found.test), len(set(found.tuning_pairs))) == (train, test, tuning)
    assert len(set(found.test_pairs)) == 20
    assert not set(found.train) & set(found.test)
    assert {case for pair in found.tuning_pairs for case in pair} <= set(found.train)
    assert {case for pair in found.test_pairs for case in pair} <= set(found.test)


def test_the_pairs_are_the_ones_that_were_published(shared_data):
    assert pair_set("hippocampus").test_pairs[0] == ("hippocampus_316", "hippocampus_335")
    assert pair_set("hippocampus").tuning_pairs[-1] == ("hippocampus_300", "hippocampus_197")


def test_a_pair_is_on_the_fixed_images_grid(shared_data):
    found = pair_set("hippocampus")
    pair = found.load(found.test_pairs[0])
    shapes = {array.shape for array in (pair.fixed, pair.moving, pair.fixed_labels, pair.moving_labels)}
    assert shapes == {pair.geometry.shape}
    assert set(np.unique(pair.moving_labels)) == {0, 1, 2}


def test_padding_and_cropping_keep_the_centre():
    array = np.arange(15).reshape(5, 3)
    assert (centred(centred(array, (9, 7)), (5, 3)) == array).all()
    assert (centred(array, (3, 3)) == array[1:4]).all()
