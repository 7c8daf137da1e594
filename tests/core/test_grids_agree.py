"""When two grids are one: as strict for micrometres as for millimetres."""

import numpy as np
import pytest

from medarch.core.geometry import Geometry, spacing_tolerance_mm


def grid(*spacing_mm, shape=(2, 2, 2)):
    return Geometry.from_array(shape, np.diag([*spacing_mm, 1.0]))


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_voxels_longer_by_a_twentieth_are_another_grid_in_millimetres_and_micrometres(unit):
    # Two voxels along each axis: no corner moves by a tenth of a voxel, so only the spacing can tell.
    found = grid(unit, unit, 2 * unit).differences(grid(unit, unit, 2.1 * unit))
    assert len(found) == 1
    assert found[0].startswith("spacing")


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_what_float32_headers_round_is_no_difference(unit):
    exact = np.array([0.3, 0.7, 1.1]) * unit
    assert grid(*exact).differences(grid(*exact.astype(np.float32).astype(float))) == []


def test_spacings_of_millimetres_keep_their_tolerance():
    assert spacing_tolerance_mm(1.0) == spacing_tolerance_mm(0.1) == 1e-3
    assert spacing_tolerance_mm(1e-3) == 1e-5
