"""Windows for training: what moves with what, and that colours really change."""

import numpy as np
import pytest
from scipy import ndimage

from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.training.nuclei import draw_window as module
from medarch.training.nuclei.draw_window import draw_window
from medarch.training.nuclei.vary_stain import vary_stain

COPIES = module.COPIES**2


def case(shape=(150, 200), seed=0):
    generator = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    instances = np.zeros(shape, np.int32)
    for number in range(1, 30):
        y, x = generator.uniform(0, shape[0]), generator.uniform(0, shape[1])
        instances[(rows - y) ** 2 + (columns - x) ** 2 < 81] = number
    image = np.where(instances[..., None] > 0, (60, 40, 120), (230, 200, 220)).astype(np.uint8)
    return NucleiImage(image, instances, (instances % 3 + (instances > 0)).astype(np.uint8))


def test_a_window_without_augmentation_is_a_part_of_the_image():
    whole = case()
    image, labels = draw_window(whole, (64, 96), 0, np.random.default_rng(3), augment=False)
    pixels = np.moveaxis(np.rint(image * 255).astype(np.uint8), 0, -1)
    places = [
        (top, left)
        for top in range(150 - 63)
        for left in range(200 - 95)
        if np.array_equal(whole.image[top : top + 64, left : left + 96], pixels)
        and np.array_equal(whole.instances[top : top + 64, left : left + 96], labels[0] // COPIES)
    ]
    assert len(places) == 1
    assert image.dtype == np.float32


def test_the_middle_of_a_window_lies_in_the_image_and_its_surroundings_are_mirrored():
    whole = case((100, 100))
    for seed in range(20):
        _, labels = draw_window(whole, (160, 160), 46, np.random.default_rng(seed), augment=False)
        middle = labels[0, 46:-46, 46:-46]
        assert set(np.unique(middle[middle > 0] % COPIES)) <= {4}  # the image itself
    small, _ = draw_window(case((40, 40)), (160, 160), 46, np.random.default_rng(0), augment=False)
    assert small.shape == (3, 160, 160)


def test_a_nucleus_and_its_mirror_image_have_numbers_of_their_own():
    whole = case((60, 60))
    _, labels = draw_window(whole, (150, 150), 46, np.random.default_rng(1), augment=False)
    for number in np.unique(labels[0][labels[0] > 0]):
        rows, columns = np.nonzero(labels[0] == number)
        assert rows.max() - rows.min() <= 18
        assert columns.max() - columns.min() <= 18


@pytest.mark.parametrize("seed", range(8))
def test_nuclei_move_with_the_image(seed, monkeypatch):
    for name in ("P_STAIN", "P_BLUR", "P_NOISE", "P_LIGHT"):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(module, "P_AFFINE", float(seed % 2))
    image, labels = draw_window(case(), (96, 96), 10, np.random.default_rng(seed), augment=True)
    dark = image[0] < 145 / 255
    assert (dark == (labels[0] > 0)).mean() > 0.97
    assert np.array_equal(labels[0] > 0, labels[1] > 0)
    assert np.array_equal(labels[1][labels[0] > 0], (labels[0] // COPIES % 3 + 1)[labels[0] > 0])


def test_windows_are_a_function_of_the_random_numbers():
    first, second, other = (draw_window(case(), (64, 64), 5, np.random.default_rng(n), augment=True) for n in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_every_change_of_colour_acts(monkeypatch):
    plain = {name: 0.0 for name in ("P_AFFINE", "P_STAIN", "P_BLUR", "P_NOISE", "P_LIGHT")}
    for name, value in plain.items():
        monkeypatch.setattr(module, name, value)

    def window():
        return draw_window(case(), (64, 64), 5, np.random.default_rng(4), augment=True)[0]

    nothing = window()
    for name in ("P_STAIN", "P_BLUR", "P_NOISE", "P_LIGHT"):
        monkeypatch.setattr(module, name, 1.0)
        assert np.abs(window() - nothing).mean() > 1e-3, name
        monkeypatch.setattr(module, name, 0.0)


def test_stains_change_but_what_is_stained_does_not():
    image = case().image
    changed = vary_stain(image, np.random.default_rng(0))
    assert np.abs(changed.astype(int) - image).max() > 5
    nuclei = case().instances > 0
    assert changed[nuclei].mean() < changed[~nuclei].mean() - 50
    edges = ndimage.sobel(image[..., 0].astype(float)), ndimage.sobel(changed[..., 0].astype(float))
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.99


def volume(shape=(20, 50, 60)):
    generator = np.random.default_rng(1)
    places = np.indices(shape)
    instances = np.zeros(shape, np.int32)
    for number in range(1, 15):
        centre = generator.uniform(0, shape)[:, None, None, None]
        instances[(((places - centre) * np.array((2, 1, 1))[:, None, None, None]) ** 2).sum(0) < 64] = number
    return NucleiImage((instances[..., None] > 0) * np.float32(2) - 1, instances)


def test_a_window_of_a_volume_without_augmentation_is_a_part_of_it():
    whole = volume()
    image, labels = draw_window(whole, (8, 32, 24), 0, np.random.default_rng(3), augment=False, spacing=(2, 1, 1))
    assert image.shape == (1, 8, 32, 24)
    assert image.dtype == np.float32
    assert any(
        np.array_equal(whole.instances[z : z + 8, y : y + 32, x : x + 24], labels[0] // 27)
        and np.array_equal(whole.image[z : z + 8, y : y + 32, x : x + 24, 0], image[0])
        for z, y, x in np.ndindex(13, 19, 37)
    )


def test_in_volumes_nuclei_move_with_the_image_and_long_voxels_stay_along_their_axis(monkeypatch):
    for name in ("P_BLUR", "P_NOISE", "P_LIGHT"):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(module, "P_AFFINE", 0.0)
    flattened = []
    for seed in range(12):
        window = draw_window(volume(), (16, 40, 40), 0, np.random.default_rng(seed), augment=True, spacing=(2, 1, 1))
        assert np.array_equal(window[0][0] > 0, window[1][0] > 0)
        for box in ndimage.find_objects(window[1][0]):
            if box is not None and all(
                side.start > 0 and side.stop < size for side, size in zip(box, (16, 40, 40), strict=True)
            ):
                flattened.append([side.stop - side.start for side in box])
    assert len(flattened) >= 3
    assert np.mean(flattened, axis=0)[0] < 0.7 * np.mean(flattened, axis=0)[1:].min()
    monkeypatch.setattr(module, "P_AFFINE", 1.0)
    image, labels = draw_window(volume(), (16, 32, 32), 0, np.random.default_rng(2), augment=True, spacing=(2, 1, 1))
    assert ((image[0] > 0) == (labels[0] > 0)).mean() > 0.95
