import numpy as np
import pytest
from scipy import ndimage

from medarch.preprocessing.crop import nonzero_box
from medarch.preprocessing.nonzero_mask import nonzero_mask


def blobs(seed: int, shape: tuple[int, int, int], share: float) -> np.ndarray:
    """Ragged bodies with holes inside, ``(2, *shape)``."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(2, *shape)), (0, 1, 1, 1))
    return np.where(smooth > np.quantile(smooth, 1 - share), smooth, 0.0).astype(np.float32)


@pytest.mark.parametrize("shape", [(9, 12, 15), (1, 20, 18), (14, 1, 1), (3, 3, 40)])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_box_and_mask_are_those_of_scipys_filled_mask(shape, share):
    for seed in range(5):
        images = blobs(seed, shape, share)
        filled = ndimage.binary_fill_holes((images != 0).any(axis=0))
        assert tuple(slice(*ends) for ends in nonzero_box(images)) == ndimage.find_objects(filled.astype(int))[0]
        np.testing.assert_array_equal(nonzero_mask(images), filled)


def test_box_of_a_view_with_turned_axes_is_the_turned_box():
    images = blobs(3, (9, 12, 15), 0.02)
    assert nonzero_box(images.transpose(0, 3, 1, 2)) == tuple(nonzero_box(images)[axis] for axis in (2, 0, 1))


def test_an_image_of_zeros_keeps_its_whole_grid():
    images = np.zeros((2, 4, 5, 6), dtype=np.float32)
    assert nonzero_box(images) == ((0, 4), (0, 5), (0, 6))
    assert not nonzero_mask(images).any()


def test_a_single_voxel_is_found_at_each_corner():
    for corner in np.ndindex(2, 2, 2):
        images = np.zeros((1, 4, 5, 6), dtype=np.float32)
        voxel = tuple((size - 1) * end for size, end in zip((4, 5, 6), corner, strict=True))
        images[(0, *voxel)] = -1
        assert nonzero_box(images) == tuple((index, index + 1) for index in voxel)
