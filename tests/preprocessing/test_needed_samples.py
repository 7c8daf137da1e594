"""The region's scores against scores changed everywhere else."""

import numpy as np
import pytest

from medarch.core.geometry import Geometry
from medarch.core.prepared import PreparedCase
from medarch.preprocessing.needed_samples import needed_samples
from medarch.preprocessing.restore import restore_scores

CASES = {
    "finer file grid": ((11, 9, 7), (26, 20, 15), (2.0, 2.0, 2.0), 1),
    "coarser file grid": ((23, 19, 17), (9, 8, 11), (2.0, 2.0, 2.0), 1),
    "one axis only": ((11, 20, 15), (26, 20, 15), (2.0, 1.0, 1.0), 1),
    "thick slices": ((5, 20, 15), (9, 26, 21), (9.0, 1.5, 1.5), 1),
    "splines": ((11, 9, 7), (26, 20, 15), (2.0, 2.0, 2.0), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_scores_elsewhere_have_no_influence_and_every_needed_voxel_has(name):
    shape, crop, spacing_mm, order = CASES[name]
    file_shape = (crop[2] + 3, crop[0] + 2, crop[1])
    permuted = (file_shape[1], file_shape[2], file_shape[0])
    box = ((1, 1 + crop[0]), (0, crop[1]), (2, 2 + crop[2]))
    cropped_mm = tuple(old * a / b for old, a, b in zip(spacing_mm, shape, crop, strict=True))
    record = PreparedCase(
        id="case", geometry=Geometry.from_array(file_shape, np.eye(4)), permutation=(1, 2, 0),
        flips=(False, True, True), full_shape=permuted, crop=box, cropped_shape=crop, shape=shape,
        spacing_mm=spacing_mm, score_order=order, cropped_spacing_mm=cropped_mm,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    region = np.zeros(file_shape, bool)
    region[5:8, 3:7, 4:6] = True
    region[-4, 8, -2] = True
    needed = needed_samples(region, record)
    assert needed.shape == shape
    assert needed.any()
    assert order > 1 or not needed.all()
    # Without splines' clipping to the range of the image, which knows every voxel.
    low, high = np.full((1, *shape), -9.0, np.float32), np.full((1, *shape), 9.0, np.float32)
    scores = rng.standard_normal((1, *shape)).astype(np.float32)
    for bounds in (low, high):
        bounds[0, needed] = scores[0, needed]
    first, second = restore_scores(low, record), restore_scores(high, record)
    if order == 1:
        np.testing.assert_array_equal(first[0][region], second[0][region])
    else:
        np.testing.assert_allclose(first[0][region], second[0][region], atol=1e-4)
    if order == 1:  # and none is needed for nothing
        for voxel in np.argwhere(needed)[::7]:
            changed = scores.copy()
            changed[(0, *voxel)] += 1
            assert (restore_scores(changed, record) != restore_scores(scores, record))[0][region].any()
