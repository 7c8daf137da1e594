"""Maps that a network learns, and the nuclei that come out of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from volume_of_nuclei import nuclei_volume

from medarch.core.separation import Separation
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.tasks.nuclei.classify_nuclei import classify_nuclei
from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei, slope_kernels


def ellipses(seed, *, size=300, count=60, largest=14):
    """Crowded nuclei, most of them touching others."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        y, x = generator.uniform(largest, size - largest, 2)
        a, b = generator.uniform(largest / 2, largest, 2)
        labels[(((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1) & (labels == 0)] = number
    for number in np.unique(labels[labels > 0]):  # nuclei in one piece only
        pieces, many = ndimage.label(labels == number)
        for piece in range(1, many):
            labels[pieces == piece] = 0
    return labels


def tissue(shared_data: Path):
    folder = shared_data / "dsb2018_stained_tissue" / "train" / "labels"
    return [np.array(Image.open(path)).astype(np.int32) for path in sorted(folder.glob("*.png"))]


def test_distances_equal_the_definition_and_monai():
    from monai.transforms import ComputeHoVerMaps

    labels = ellipses(0, count=40) * 3  # with gaps
    maps = distance_maps(labels)
    theirs = np.asarray(ComputeHoVerMaps()(labels[None].astype(np.int16)))
    np.testing.assert_allclose(maps, theirs, atol=1e-6)
    number = labels[labels > 0][500]
    rows, columns = np.nonzero(labels == number)
    offset = columns - columns.mean()
    expected = np.where(offset < 0, offset / -offset.min(), offset / offset.max())
    np.testing.assert_allclose(maps[0, rows, columns], expected, atol=1e-6)
    assert (maps[:, labels == 0] == 0).all()


def test_in_3d_there_is_a_map_an_axis_the_last_axis_first():
    labels = np.zeros((9, 10, 11), np.uint16)
    labels[2:7, 1:5, 3:10] = 4
    maps = distance_maps(labels)
    assert maps.shape == (3, 9, 10, 11)
    np.testing.assert_allclose(maps[0, 3, 2, 3:10], np.linspace(-1, 1, 7), atol=1e-6)
    np.testing.assert_allclose(maps[1, 3, 1:5, 4], [-1, -1 / 3, 1 / 3, 1], atol=1e-6)
    np.testing.assert_allclose(maps[2, 2:7, 1, 4], np.linspace(-1, 1, 5), atol=1e-6)


def test_a_nucleus_of_one_pixel_and_an_empty_image_have_distances_0():
    labels = np.zeros((5, 5), int)
    assert not distance_maps(labels).any()
    labels[2, 2] = 7
    assert not distance_maps(labels).any()


def test_a_patch_has_to_be_cut_after_the_maps_are_made():
    labels = ellipses(1)
    whole = distance_maps(labels)[:, 100:200, 100:200]
    cut = distance_maps(labels[100:200, 100:200])
    inner = np.setdiff1d(labels[100:200, 100:200], labels[[99, 200], 100:200])
    differs = (np.abs(whole - cut) > 1e-6).any(axis=0)
    assert differs.any()
    assert not differs[np.isin(labels[100:200, 100:200], np.setdiff1d(inner, labels[100:200, [99, 200]]))].any()


def test_kernels_measure_slopes_in_units_of_the_map():
    for pixels in (3, 5, 7):
        along, across = slope_kernels(pixels)
        ramp = np.arange(20.0) * 0.25
        np.testing.assert_allclose(ndimage.correlate1d(ramp, along)[5:-5], 0.25)
        assert across.sum() == pytest.approx(1)
    assert slope_kernels(5)[1].tolist() == [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]


def test_perfect_maps_of_real_tissue_give_its_nuclei_back(shared_data):
    images = tissue(shared_data)
    total, each = PanopticQuality(), []
    for labels in images:
        found = separate_nuclei((labels > 0).astype(np.float32), distance_maps(labels), Separation())
        quality = panoptic_quality(overlap_table(labels, found))
        total, each = total + quality, [*each, quality.quality]
    assert len(images) == 80
    assert np.mean(each) >= 0.99
    assert total.quality >= 0.99


def test_nuclei_that_touch_in_3d_are_told_apart():
    labels = np.zeros((24, 40, 40), np.int32)
    z, y, x = np.mgrid[:24, :40, :40]
    for number, centre in enumerate(((8, 10, 10), (8, 10, 24), (14, 26, 14), (12, 27, 30)), 1):
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 8**2
        labels[ball & (labels == 0)] = number
    found = separate_nuclei((labels > 0).astype(np.float32), distance_maps(labels), Separation())
    quality = panoptic_quality(overlap_table(labels, found))
    assert (quality.hits, quality.spurious, quality.missed) == (4, 0, 0)
    assert quality.segmentation > 0.97


@pytest.mark.parametrize(("spacing", "planes", "least"), [((1.0, 1.0, 1.0), 64, 0.99), ((2.0, 1.0, 1.0), 32, 0.99)])
def test_perfect_maps_of_crowded_volumes_give_their_nuclei_back(spacing, planes, least):
    settings = Separation(slope_pixels=3, slope_threshold=0.02, marker_pixels=2, nucleus_pixels=5, spacing=spacing)
    each = []
    for seed in range(3):
        labels, _ = nuclei_volume(seed, shape=(planes, 64, 64), spacing_um=spacing, count=60)
        found = separate_nuclei((labels > 0).astype(np.float32), distance_maps(labels), settings)
        quality = panoptic_quality(overlap_table(labels, found))
        assert (quality.spurious, quality.missed) == (0, 0)
        each.append(quality.quality)
    assert np.mean(each) >= least


def disturbed(labels, seed):
    """Maps as a network gives them: noisy, and with values beyond 1."""
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.normal(size=(3, *labels.shape)), (0, 2, 2))
    probability = ndimage.gaussian_filter((labels > 0).astype(float), 1) + 0.5 * noise[0]
    return probability.astype(np.float32), (1.1 * distance_maps(labels) + 0.5 * noise[1:]).astype(np.float32)


def nuclei_inside(nuclei, box):
    """Nuclei of a window that lie in it with room to spare: first row and column in the image → shape."""
    found = {}
    for number, inner in enumerate(ndimage.find_objects(nuclei), 1):
        room = [min(side.start, size - side.stop) for side, size in zip(inner, nuclei.shape, strict=True)]
        if min(room) >= 40:
            place = tuple(side.start + outer.start for side, outer in zip(inner, box, strict=True))
            found[place] = (nuclei[inner] == number).tobytes()
    return found


def test_a_nucleus_is_the_same_in_every_window_whatever_else_is_in_the_image():
    labels = ellipses(2, size=500, count=220, largest=11)
    probability, distances = disturbed(labels, 0)
    whole = separate_nuclei(probability, distances, Separation())
    everywhere = nuclei_inside(whole, (slice(0, 500), slice(0, 500)))
    assert len(everywhere) > 100
    distances[:, 3:9, 3:9] = 4.0  # an artefact far away
    compared = 0
    for top, left in ((0, 0), (37, 101), (180, 60), (200, 200)):
        box = (slice(top, top + 300), slice(left, left + 300))
        part = separate_nuclei(probability[box], distances[(slice(None), *box)], Separation())
        for place, shape in nuclei_inside(part, box).items():
            assert everywhere.get(place, shape) == shape
            compared += place in everywhere
    assert compared > 100


def test_a_group_without_a_core_is_one_nucleus_and_small_ones_are_dropped():
    probability = np.zeros((30, 30), np.float32)
    probability[5:12, 5:12] = 0.9
    probability[20:23, 20:23] = 0.9
    falling = np.zeros((2, 30, 30), np.float32)
    falling[0] = -np.arange(30)  # falls everywhere, so there is no core
    nuclei = separate_nuclei(probability, falling, Separation())
    assert nuclei.max() == 1
    assert (nuclei[5:12, 5:12] == 1).all()
    assert not separate_nuclei(0 * probability, falling, Separation()).any()


def test_holes_belong_to_the_nucleus_around_them_and_gaps_between_nuclei_to_none():
    rows, columns = np.mgrid[:60, :60]
    labels = np.where((rows - 30) ** 2 + (columns - 16) ** 2 < 12**2, 1, 0)
    labels[(rows - 30) ** 2 + (columns - 40) ** 2 < 12**2] = 2
    probability = (labels > 0).astype(np.float32)
    probability[28:32, 14:18] = 0
    probability[30, 27:29] = 0  # between the two, still enclosed by them
    nuclei = separate_nuclei(probability, distance_maps(labels), Separation())
    assert nuclei.max() == 2
    assert (nuclei[28:32, 14:18] == nuclei[30, 10]).all()
    touching = separate_nuclei((labels > 0).astype(np.float32), distance_maps(labels), Separation())
    assert panoptic_quality(overlap_table(labels, touching)).hits == 2


def test_numbers_follow_the_first_pixels():
    labels = ellipses(3)
    nuclei = separate_nuclei((labels > 0).astype(np.float32), distance_maps(labels), Separation())
    first = [np.flatnonzero(nuclei.ravel() == number)[0] for number in range(1, nuclei.max() + 1)]
    assert first == sorted(first)
    assert nuclei.dtype == np.int32


def test_types_are_the_means_of_softmax_without_background():
    nuclei = np.array([[1, 1, 0], [2, 2, 2]])
    shares = np.zeros((3, 2, 3), np.float32)
    shares[:, 0, 0], shares[:, 0, 1] = (0.8, 0.1, 0.1), (0.2, 0.1, 0.7)
    shares[:, 1] = np.array([[0.4, 0.6, 0.0]]).T
    types, probabilities = classify_nuclei(nuclei, shares)
    assert types.tolist() == [2, 1]
    np.testing.assert_allclose(probabilities, [[0.2, 0.8], [1, 0]], atol=1e-6)
    assert classify_nuclei(np.zeros((2, 3), int), shares)[1].shape == (0, 2)
