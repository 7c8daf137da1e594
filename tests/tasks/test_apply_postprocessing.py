import numpy as np
import pytest

from medarch.core.postprocessing import KeepLargest
from medarch.tasks.apply_postprocessing import apply_postprocessing


@pytest.fixture
def labels():
    """A large component of labels 1 and 2, a diagonal neighbour of it, and two small pieces apart."""
    array = np.zeros((10, 12, 9), np.uint8)
    array[1:4, 1:5, 1:4] = 1
    array[4:6, 2:5, 2:4] = 2
    array[6, 5, 4] = 1  # touches label 2 at a corner only
    array[8:10, 9:11, 6:8] = 1
    array[0, 11, 8] = 2
    return array


def test_the_largest_component_of_several_labels_together_stays(labels):
    kept = labels.copy()
    out = apply_postprocessing(labels, [KeepLargest(values=(1, 2))])
    assert (labels == kept).all()
    expected = labels.copy()
    expected[8:10, 9:11, 6:8] = 0
    expected[0, 11, 8] = 0
    np.testing.assert_array_equal(out, expected)


def test_steps_follow_each_other(labels):
    out = apply_postprocessing(labels, [KeepLargest(values=(1, 2)), KeepLargest(values=(1,))])
    expected = np.zeros_like(labels)
    expected[1:4, 1:5, 1:4] = 1
    expected[4:6, 2:5, 2:4] = 2
    np.testing.assert_array_equal(out, expected)


def test_components_of_one_size_all_stay():
    array = np.zeros((8, 8, 8), np.uint8)
    array[1, 1, 1:3] = array[5, 5, 5:7] = 3
    array[3, 7, 0] = 3
    out = apply_postprocessing(array, [KeepLargest(values=(3,))])
    assert np.argwhere(out == 3).tolist() == [[1, 1, 1], [1, 1, 2], [5, 5, 5], [5, 5, 6]]


@pytest.mark.parametrize("values", [(1,), (7,), (1, 7)])
def test_what_is_absent_or_one_piece_stays_as_it_is(values):
    array = np.zeros((5, 5, 5), np.uint16)
    array[2, 2] = 1
    assert apply_postprocessing(array, [KeepLargest(values=values)]) is array
    empty = np.zeros((3, 3, 3), np.uint8)
    assert apply_postprocessing(empty, [KeepLargest(values=values)]) is empty
