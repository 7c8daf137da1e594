import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from medarch.preprocessing.resample import resample
from medarch.preprocessing.resample_labels import resample_labels
from medarch.preprocessing.separate_axis import separate_axis

SHAPES = [
    ((17, 25, 12), (23, 19, 12)),
    ((1, 30, 26), (1, 41, 20)),
    ((5, 1, 9), (8, 4, 3)),
    ((40, 12, 70), (20, 36, 33)),
]


def by_skimage(volume: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    return resize(volume.astype(float), shape, order, mode="edge", anti_aliasing=False)


def by_planes(volume: np.ndarray, shape: tuple[int, ...], order: int, axis: int) -> np.ndarray:
    """Planes with skimage, then the axis across them with map_coordinates, as section 1.11 of the rules says."""
    plane_shape = tuple(np.delete(shape, axis))
    planes = [by_skimage(plane, plane_shape, order) for plane in np.moveaxis(volume, axis, 0)]
    stacked = np.stack(planes, axis)
    grid = np.indices(shape).astype(float)
    grid[axis] = (grid[axis] + 0.5) * volume.shape[axis] / shape[axis] - 0.5
    return ndimage.map_coordinates(stacked, grid, order=0, mode="nearest")


@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("order", [0, 1, 2, 3, 5])
def test_resampling_is_skimages(old, new, order):
    volumes = np.random.default_rng(1).normal(size=(2, *old)).astype(np.float32)
    expected = np.stack([by_skimage(volume, new, order) for volume in volumes])
    np.testing.assert_allclose(resample(volumes, new, order=order), expected, atol=5e-6)


@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_separate_axis_is_nearest_across_planes_resized_and_clipped_one_by_one(old, new, axis, order):
    volume = np.random.default_rng(2).normal(size=old).astype(np.float32)
    volume += np.indices(old)[axis]  # so that the planes' ranges differ
    result = resample(volume[None], new, order=order, separate_axis=axis)[0]
    np.testing.assert_allclose(result, by_planes(volume, new, order, axis), atol=1e-4)


def test_a_real_heart_is_resampled_as_by_skimage(shared_data):
    path = shared_data / "ACDC_subset30" / "imagesTr" / "patient004_frame01_0000.nii.gz"
    volume = np.asarray(nib.load(path).dataobj, dtype=np.float32).transpose(2, 1, 0)
    shape = (11, 233, 211)
    scale = np.ptp(volume)
    whole = resample(volume[None], shape, order=3)[0]
    assert np.abs(whole - by_skimage(volume, shape, 3)).max() < 1e-5 * scale
    planes = resample(volume[None], shape, order=3, separate_axis=0)[0]
    assert np.abs(planes - by_planes(volume, shape, 3, 0)).max() < 1e-5 * scale


def test_long_axes_cut_into_bands_lose_nothing():
    volume = np.random.default_rng(3).normal(size=(3, 700, 300)).astype(np.float32)
    np.testing.assert_allclose(
        resample(volume[None], (4, 411, 640), order=3)[0], by_skimage(volume, (4, 411, 640), 3), atol=1e-5
    )


def test_an_unchanged_shape_costs_no_copy():
    volumes = np.zeros((1, 3, 4, 5), dtype=np.float32)
    assert resample(volumes, (3, 4, 5), order=3) is volumes
    labels = np.zeros((3, 4, 5), dtype=np.int16)
    assert resample_labels(labels, (3, 4, 5)) is labels


@pytest.mark.parametrize(
    ("current", "wanted", "axis"),
    [
        ((10.0, 1.5, 1.5), (10.0, 1.5, 1.5), 0),
        ((1.0, 5.0, 1.0), (1.0, 1.0, 1.0), 1),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 5.0), 2),
        ((3.0, 1.0, 1.0), (3.0, 1.0, 1.0), None),  # not above 3
        ((0.24, 1.25, 1.25), (0.24, 1.25, 1.25), None),  # two coarse axes
        ((0.24, 1.25, 1.25), (5.0, 1.0, 1.0), None),  # the current spacing decides first
        ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), None),
    ],
)
def test_the_coarse_axis_follows_nnunets_rule(current, wanted, axis):
    assert separate_axis(current, wanted, ratio=3.0) == axis


def labels_of_blobs(shape: tuple[int, int, int], classes: int) -> np.ndarray:
    noise = np.random.default_rng(4).normal(size=(classes, *shape))
    return ndimage.gaussian_filter(noise, (0, 2, 2, 2)).argmax(axis=0).astype(np.int16) - 1


def indicators(labels: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    values = np.unique(labels)
    return values, np.stack([by_skimage(labels == value, shape, 1) for value in values])


@pytest.mark.parametrize("new", [(20, 18, 31), (9, 40, 17), (11, 24, 24)])
def test_labels_go_to_the_largest_interpolated_indicator_and_ties_to_the_nearest_voxel(new):
    labels = labels_of_blobs((15, 24, 26), 6)
    values, scores = indicators(labels, new)
    result = resample_labels(labels, new)
    assert result.dtype == labels.dtype
    runner_up, top = np.sort(scores, axis=0)[-2:]
    clear = top - runner_up > 1e-4
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(result[clear], values[scores.argmax(axis=0)][clear])
    nearest = by_skimage(labels, new, 0)
    tied = np.abs(scores - top) < 1e-6
    nearest_is_tied = np.take_along_axis(tied, np.searchsorted(values, nearest)[None], axis=0)[0] & ~clear
    np.testing.assert_array_equal(result[nearest_is_tied], nearest[nearest_is_tied])
    lowest = values[tied.argmax(axis=0)]
    other = ~clear & ~nearest_is_tied & (top - runner_up < 1e-6)
    np.testing.assert_array_equal(result[other], lowest[other])


def test_two_labels_part_where_the_indicator_passes_one_half():
    labels = (labels_of_blobs((15, 24, 26), 2) + 1) * 7
    shape = (23, 31, 20)
    score = by_skimage(labels == 7, shape, 1)
    clear = np.abs(score - 0.5) > 1e-5
    np.testing.assert_array_equal(resample_labels(labels, shape)[clear] == 7, (score > 0.5)[clear])


def test_labels_of_a_separate_axis_are_interpolated_in_their_planes_only():
    labels = labels_of_blobs((6, 24, 26), 4)
    result = resample_labels(labels, (9, 30, 20), separate_axis=0)
    source = ndimage.map_coordinates(np.arange(6.0), [(np.arange(9) + 0.5) * 6 / 9 - 0.5], order=0, mode="nearest")
    for plane, index in zip(result, source.astype(int), strict=True):
        np.testing.assert_array_equal(plane, resample_labels(labels[index][None], (1, 30, 20))[0])


def test_order_zero_takes_the_nearest_label():
    labels = labels_of_blobs((15, 24, 26), 4)
    np.testing.assert_array_equal(resample_labels(labels, (20, 11, 33), order=0), by_skimage(labels, (20, 11, 33), 0))


def test_a_map_of_one_label_stays_one():
    assert set(np.unique(resample_labels(np.full((3, 4, 5), -1, dtype=np.int16), (7, 2, 6)))) == {-1}
