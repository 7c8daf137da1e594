import itertools

import nibabel as nib
import numpy as np
import pytest

from medarch.core.errors import PreprocessingError
from medarch.core.geometry import Geometry
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.preprocessing.prepare_case import PreparedArrays, prepare_case
from medarch.preprocessing.restore import paste, resample_to_crop, restore_labels, restore_scores

ORIENTATIONS = [
    "".join(letters) for axes in itertools.permutations(("RL", "AP", "SI")) for letters in itertools.product(*axes)
]
SHAPE = (7, 10, 13)


def recipe(**changes) -> PreprocessingPlan:
    values = {
        "orientation": "RAS",
        "axes": (2, 1, 0),
        "spacing_mm": (None, None, None),
        "normalisation": (ChannelNormalisation(scheme="none"),),
    }
    return PreprocessingPlan(**(values | changes))


def oblique_geometry(axcodes: str, spacing_mm: tuple[float, float, float] = (0.7, 1.3, 4.0)) -> Geometry:
    """A grid of the given orientation, turned by 20 and 15 degrees out of the scanner's axes."""
    directions = np.zeros((3, 3))
    for axis, code in enumerate(axcodes):
        directions[["RL", "AP", "SI"].index(next(p for p in ("RL", "AP", "SI") if code in p)), axis] = (
            1 if code in "RAS" else -1
        )
    a, b = np.deg2rad([20, 15])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ directions * spacing_mm
    affine[:3, 3] = 11, -22, 33
    return Geometry.from_array(SHAPE, affine)


def bordered_image() -> np.ndarray:
    """Numbered voxels in an empty border of different widths."""
    image = np.zeros((1, *SHAPE), dtype=np.float32)
    inner = (slice(1, 6), slice(2, 9), slice(0, 11))
    image[(0, *inner)] = np.arange(1, 5 * 7 * 11 + 1).reshape(5, 7, 11)
    return image


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 2, 0)])
def test_the_way_there_is_nibabels_and_the_way_back_exact_in_all_48_orientations(axcodes, axes):
    image, geometry = bordered_image(), oblique_geometry(axcodes)
    label = (image[0] % 4).astype(np.uint8)
    prepared = prepare_case(image, geometry, case="a", recipe=recipe(axes=axes, crop="none"), label=label)
    expected = nib.as_closest_canonical(nib.Nifti1Image(image[0], geometry.matrix)).get_fdata().transpose(axes)
    np.testing.assert_array_equal(prepared.image[0], expected)

    cropped = prepare_case(image, geometry, case="a", recipe=recipe(axes=axes), label=label)
    assert cropped.image.shape != prepared.image.shape
    np.testing.assert_array_equal(paste(cropped.image, cropped.record), image)
    np.testing.assert_array_equal(restore_labels(np.maximum(cropped.label, 0), cropped.record), label)
    scores = np.concatenate([cropped.image, -cropped.image])
    np.testing.assert_array_equal(restore_scores(scores, cropped.record), np.concatenate([image, -image]))


@pytest.mark.parametrize("axcodes", ORIENTATIONS[::5])
def test_resampled_scores_come_back_to_where_they_were(axcodes):
    """A linear field is reproduced by linear interpolation wherever the resampled grid does not clamp at its edge."""
    geometry = oblique_geometry(axcodes, (1.0, 1.1, 1.4))
    ramp = (np.indices(SHAPE) * np.array([3, 1, 2])[:, None, None, None]).sum(axis=0) + 1.0
    prepared = prepare_case(ramp[None], geometry, case="a", recipe=recipe(spacing_mm=(0.5, 0.6, 0.5), image_order=1))
    assert prepared.record.shape != prepared.record.cropped_shape
    restored = restore_scores(prepared.image, prepared.record)[0]
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(restored[inner], ramp[inner], atol=1e-4)


def test_without_an_orientation_the_files_order_is_kept():
    image, geometry = bordered_image(), oblique_geometry("LPI")
    prepared = prepare_case(image, geometry, case="a", recipe=recipe(orientation=None))
    assert prepared.record.flips == (False, False, False)
    np.testing.assert_array_equal(prepared.image[0], image[0, 1:6, 2:9, 0:11].transpose(2, 1, 0))


def test_outside_the_crop_scores_take_the_fill_value():
    prepared = prepare_case(bordered_image(), oblique_geometry("RAS"), case="a", recipe=recipe())
    restored = restore_scores(prepared.image, prepared.record, fill=-9)
    assert restored[0, 0, 0, 0] == -9


def test_the_coarse_axis_is_nearest_on_the_way_back_too():
    geometry = Geometry.from_array(SHAPE, np.diag([1.0, 1.0, 6.0, 1.0]))
    image = np.random.default_rng(0).normal(size=(1, *SHAPE)) + 9
    prepared = prepare_case(image, geometry, case="a", recipe=recipe(spacing_mm=(3.0, 0.5, 0.5)))
    assert prepared.image.shape == (1, 26, 20, 14)
    planes = np.broadcast_to(np.arange(26.0)[None, :, None, None], prepared.image.shape)
    assert set(np.unique(resample_to_crop(planes, prepared.record))) <= set(range(26))


def test_the_given_arrays_are_left_unchanged():
    image, label = bordered_image(), np.ones(SHAPE, dtype=np.uint8)
    label[0] = 0
    before = image.copy(), label.copy()
    scheme = (ChannelNormalisation(scheme="zscore", inside_mask=True),)
    prepare_case(image, oblique_geometry("RAS"), case="a", recipe=recipe(normalisation=scheme), label=label)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_a_single_thin_slice_does_not_vanish_among_thick_ones():
    image = np.ones((1, 8, 8, 1), dtype=np.float32)
    geometry = Geometry.from_array((8, 8, 1), np.diag([1.0, 1.0, 1.0, 1.0]))
    prepared = prepare_case(image, geometry, case="a", recipe=recipe(spacing_mm=(5.0, 1.0, 1.0)))
    assert prepared.image.shape == (1, 1, 8, 8)
    assert restore_labels(prepared.image[0].astype(np.uint8), prepared.record).shape == (8, 8, 1)


def test_arrays_of_another_grid_are_refused():
    prepared: PreparedArrays = prepare_case(bordered_image(), oblique_geometry("RAS"), case="a", recipe=recipe())
    for function in (paste, restore_labels, restore_scores):
        with pytest.raises(PreprocessingError, match="grid"):
            function(np.zeros((1, 2, 3, 4)), prepared.record)
    with pytest.raises(PreprocessingError, match="does not fit the plan"):
        prepare_case(np.zeros((2, *SHAPE)), oblique_geometry("RAS"), case="a", recipe=recipe())
    with pytest.raises(PreprocessingError, match="label map"):
        prepare_case(bordered_image(), oblique_geometry("RAS"), case="a", recipe=recipe(), label=np.zeros((7, 10, 12)))
