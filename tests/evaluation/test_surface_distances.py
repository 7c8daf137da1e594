"""Surface measures against published values, MONAI, scipy's distance transform and phantoms solved by hand."""

import numpy as np
import pytest

from medarch.core.errors import EvaluationError
from medarch.evaluation.surface_distances import surface_distances


def ball(shape, centre_mm, radius_mm, spacing_mm=(1, 1, 1)):
    grid = np.indices(shape).astype(float)
    return sum((grid[a] * spacing_mm[a] - centre_mm[a]) ** 2 for a in range(3)) <= radius_mm**2


def monai_nsd(prediction, reference, tolerance_mm, spacing_mm):
    import torch
    from monai.metrics import compute_surface_dice

    masks = [torch.tensor(mask)[None, None].float() for mask in (prediction, reference)]
    return compute_surface_dice(
        *masks, [tolerance_mm], include_background=True, spacing=spacing_mm, use_subvoxels=True
    ).item()


def test_shifted_sphere_has_the_values_that_deepmind_reports():
    reference, prediction = (ball((64, 64, 64), (31.5, 31.5, z), 15) for z in (31.5, 34.5))
    found = surface_distances(prediction, reference, spacing_mm=(1, 1, 1))
    assert found.hausdorff_mm() == pytest.approx(2.83, abs=0.005)
    assert found.nsd(1.0) == pytest.approx(0.531, abs=0.0005)


def test_a_far_false_positive_moves_the_hausdorff_distance_but_not_hd95():
    reference = ball((64, 64, 64), (28, 28, 28), 15)
    prediction = reference.copy()
    prediction[60:62, 60:62, 60:62] = True
    found = surface_distances(prediction, reference, spacing_mm=(1, 1, 1))
    assert found.hausdorff_mm() == 0
    assert found.hausdorff_mm(100) > 36
    assert 0.99 < found.nsd(1.0) < 1


@pytest.mark.parametrize(
    ("shape", "radius_mm", "spacing", "shift_mm"),
    [
        ((48, 48, 48), 15, (1.0, 1.0, 1.0), (0, 0, 3)),
        ((48, 48, 16), 15, (0.8, 0.8, 5.0), (2.4, 0, 5)),
        ((24, 24, 10), 4, (1.0, 1.0, 3.0), (1, 1, 0)),
    ],
)
def test_nsd_equals_monai_subvoxel(shape, radius_mm, spacing, shift_mm):
    centre = np.multiply(shape, spacing) / 2
    reference, prediction = (
        ball(shape, centre + np.array(shift), radius_mm, spacing) for shift in ((0, 0, 0), shift_mm)
    )
    found = surface_distances(prediction, reference, spacing_mm=spacing)
    for tolerance in (0.0, 0.5, 1.0, 3.0):
        assert found.nsd(tolerance) == pytest.approx(monai_nsd(prediction, reference, tolerance, spacing), abs=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nsd_equals_monai_subvoxel_on_random_masks_that_hold_every_pattern(seed):
    draw = np.random.default_rng(seed)
    prediction, reference = draw.random((2, 14, 11, 9)) > draw.uniform(0.3, 0.9)
    spacing = tuple(draw.uniform(0.4, 4.0, size=3))
    found = surface_distances(prediction, reference, spacing_mm=spacing)
    for tolerance in (0.0, 0.6, 1.1, 2.3):
        assert found.nsd(tolerance) == pytest.approx(monai_nsd(prediction, reference, tolerance, spacing), abs=1e-5)


def test_nsd_of_an_image_equals_monai_in_2d_whichever_axis_is_thin():
    draw = np.random.default_rng(5)
    prediction, reference = draw.random((2, 30, 21)) > 0.6
    theirs = monai_nsd(prediction, reference, 1.0, (0.7, 1.3))
    for axis, spacing in ((2, (0.7, 1.3, 9.0)), (1, (0.7, 9.0, 1.3)), (0, (9.0, 0.7, 1.3))):
        masks = [np.expand_dims(mask, axis) for mask in (prediction, reference)]
        assert surface_distances(*masks, spacing_mm=spacing).nsd(1.0) == pytest.approx(theirs, abs=1e-6)


def test_distances_equal_a_euclidean_distance_transform():
    from scipy.ndimage import correlate, distance_transform_edt

    spacing = (0.8, 1.1, 2.5)
    shape = (40, 30, 20)
    prediction, reference = (ball(shape, centre, 9, spacing) for centre in ((14, 16, 25), (18, 14, 22)))
    inside = [
        correlate(np.pad(mask, 2).astype(int), np.ones((2, 2, 2)), mode="constant") for mask in (prediction, reference)
    ]
    surfaces = [(count > 0) & (count < 8) for count in inside]
    found = surface_distances(prediction, reference, spacing_mm=spacing)
    for ours, mine, other in ((found.prediction_mm, 0, 1), (found.reference_mm, 1, 0)):
        theirs = distance_transform_edt(~surfaces[other], sampling=spacing)[surfaces[mine]]
        np.testing.assert_allclose(np.sort(ours), np.sort(theirs), atol=1e-12)


def test_two_single_voxels_solved_by_hand():
    # A voxel has one element at each of its 8 corners, all of one size. Moved by 4 voxels of 3 mm along k, the near
    # four corners of each lie 3 steps from the other voxel, the far four 4 steps.
    reference, prediction = (np.zeros((5, 5, 12), dtype=bool) for _ in range(2))
    reference[2, 2, 3] = True
    prediction[2, 2, 7] = True
    found = surface_distances(prediction, reference, spacing_mm=(1.0, 1.0, 3.0))
    assert (found.hausdorff_mm(), found.assd_mm()) == pytest.approx((12.0, 10.5))
    assert (found.nsd(8.9), found.nsd(9.0), found.nsd(12.0)) == pytest.approx((0.0, 0.5, 1.0))


def test_elements_of_different_size_solved_by_hand():
    # A bar of two voxels has 8 corners (triangles of sqrt(3)/8 mm²) and 4 edge middles (rectangles of sqrt(2)/2 mm²).
    # Moved by one voxel along itself, four corners of each bar lie 1 mm from the other bar and all else coincides.
    reference, prediction = (np.zeros((9, 5, 5), dtype=bool) for _ in range(2))
    reference[3:5, 2, 2] = True
    prediction[4:6, 2, 2] = True
    found = surface_distances(prediction, reference, spacing_mm=(1.0, 1.0, 1.0))
    corner, middle = 3**0.5 / 8, 2**0.5 / 2
    apart = 4 * corner / (8 * corner + 4 * middle)
    assert found.reference_area.sum() == pytest.approx(8 * corner + 4 * middle)
    assert (found.assd_mm(), found.nsd(0.0), found.nsd(1.0)) == pytest.approx((apart, 1 - apart, 1.0))
    assert found.hausdorff_mm() == 1.0
    assert found.hausdorff_mm(80) == 0.0


def test_hd95_weighs_by_area_and_takes_the_worse_side():
    # 3 % of the prediction's surface is far: HD95 does not see it. 10 % is: HD95 does.
    reference = np.zeros((60, 60, 60), dtype=bool)
    reference[10:30, 10:30, 10:30] = True
    few, many = reference.copy(), reference.copy()
    few[50:53, 50:53, 50:53] = True
    many[50:57, 50:57, 50:57] = True
    assert surface_distances(few, reference, spacing_mm=(1, 1, 1)).hausdorff_mm() == 0
    assert surface_distances(many, reference, spacing_mm=(1, 1, 1)).hausdorff_mm() > 34
    assert surface_distances(reference, many, spacing_mm=(1, 1, 1)).hausdorff_mm() > 34


def test_identical_masks_agree_entirely_also_at_the_border_and_for_one_voxel():
    for mask in (np.ones((3, 4, 5), dtype=bool), np.ones((1, 1, 1), dtype=bool), np.eye(6, dtype=bool)[:, :, None]):
        found = surface_distances(mask, mask, spacing_mm=(1, 2, 3))
        assert (found.nsd(0.0), found.hausdorff_mm(), found.assd_mm()) == (1.0, 0.0, 0.0)


def test_a_float32_spacing_does_not_push_a_distance_over_the_tolerance():
    reference, prediction = (np.zeros((20, 8, 8), dtype=bool) for _ in range(2))
    reference[4:10] = True
    prediction[4:13] = True
    spacing = tuple(float(np.float32(edge)) for edge in (0.8, 0.8, 0.8))
    assert 3 * spacing[0] > 2.4
    assert surface_distances(prediction, reference, spacing_mm=spacing).nsd(2.4) == 1.0


def test_where_the_masks_lie_does_not_matter():
    draw = np.random.default_rng(3)
    blob, other = draw.random((2, 6, 6, 6)) > 0.5
    spacing = (0.3, 0.7, 1.9)
    values = []
    for corner in (0, 20):
        masks = [np.zeros((30, 30, 30), dtype=bool) for _ in range(2)]
        for mask, part in zip(masks, (blob, other), strict=True):
            mask[corner : corner + 6, corner : corner + 6, corner : corner + 6] = part
        found = surface_distances(*masks, spacing_mm=spacing)
        values.append((found.nsd(0.6), found.hausdorff_mm(), found.assd_mm()))
    assert values[0] == values[1]


def test_an_empty_mask_is_an_error():
    full, empty = np.ones((3, 3, 3), dtype=bool), np.zeros((3, 3, 3), dtype=bool)
    with pytest.raises(EvaluationError, match="none empty"):
        surface_distances(empty, full, spacing_mm=(1, 1, 1))
    with pytest.raises(EvaluationError, match="one shape"):
        surface_distances(full, full[:2], spacing_mm=(1, 1, 1))
