"""Which slices are worth looking at."""

import numpy as np

from medarch.core.geometry import Geometry
from medarch.reporting.choose_view import choose_view
from medarch.reporting.display_case import DisplayCase


def _case(reference=None, prediction=None, *, shape=(40, 50, 30), spacing=(1.0, 1.0, 1.0)):
    geometry = Geometry.from_array(shape, np.diag((-spacing[0], -spacing[1], -spacing[2], 1.0)))
    return DisplayCase(np.zeros(shape), reference, prediction, geometry, (0, 1, 2), (False, False, False))


def _labels(*boxes, shape=(40, 50, 30)):
    labels = np.zeros(shape, np.int16)
    for value, box in boxes:
        labels[box] = value
    return labels


BOX = np.s_[10:20, 10:20, 10:20]


def test_slices_go_through_the_largest_cross_section():
    bump = np.s_[12:14, 12:30, 15:17]
    view = choose_view(_case(_labels((1, BOX), (1, bump))))
    counts = _labels((1, BOX), (1, bump)) > 0
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        assert counts.sum(axis=others)[view.indices[axis]] == counts.sum(axis=others).max()
    assert not view.by_error


def test_worst_cases_are_cut_where_most_voxels_are_wrong():
    stray = np.s_[30:33, 40:43, 25:28]
    view = choose_view(_case(_labels((1, BOX)), _labels((1, BOX), (1, stray))), prefer_error=True)
    assert view.by_error
    assert view.indices == (30, 40, 25)
    assert choose_view(_case(_labels((1, BOX)), _labels((1, BOX), (1, stray)))).indices == (10, 10, 10)


def test_ignored_voxels_are_neither_foreground_nor_wrong():
    hole = np.s_[30:40, 30:50, 20:30]
    view = choose_view(_case(_labels((1, BOX), (2, hole)), _labels((1, BOX))), ignore=2, prefer_error=True)
    assert not view.by_error
    assert view.indices == (10, 10, 10)
    assert view.centre_mm == (15, 15, 15)


def test_case_without_foreground_shows_its_middle():
    view = choose_view(_case(_labels()))
    assert view.indices == (20, 25, 15)
    assert view.centre_mm == (20, 25, 15)


def test_spurious_prediction_is_shown_when_there_is_no_reference():
    assert choose_view(_case(None, _labels((1, BOX)))).indices == (10, 10, 10)


def test_window_holds_everything_outlined_with_a_margin():
    far = np.s_[35:39, 10:12, 10:12]
    view = choose_view(_case(_labels((1, BOX)), _labels((1, far)), spacing=(5.0, 5.0, 5.0)))
    low, high = view.centre_mm[0] - view.edge_mm / 2, view.centre_mm[0] + view.edge_mm / 2
    assert low < 10 * 5 < 39 * 5 < high


def test_a_small_lesion_keeps_its_surroundings_and_a_small_image_is_not_enlarged():
    dot = _labels((1, np.s_[50:51, 50:51, 50:51]), shape=(100, 100, 100))
    assert choose_view(_case(dot, shape=(100, 100, 100))).edge_mm == 60
    assert choose_view(_case(_labels((1, BOX)))).edge_mm == 50


def test_a_2d_image_has_one_plane():
    case = _case(
        _labels((1, np.s_[10:20, 10:20, 0:1]), shape=(40, 50, 1)), shape=(40, 50, 1), spacing=(1.0, 1.0, 999.0)
    )
    view = choose_view(case)
    assert [plane.name for plane in view.planes(case)] == ["axial"]
    assert view.edge_mm == 50
