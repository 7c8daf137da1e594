import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medarch.inference.tile_grid import TileGrid
from medarch.inference.tiles import gaussian_weights, tile_starts
from medarch.inference.window import Window


@pytest.mark.parametrize(
    ("shape", "patch", "step", "starts"),
    [
        # What nnU-Net 2.8.1's compute_steps_for_sliding_window returns for these arguments.
        ((64, 100, 37), (32, 64, 37), 0.5, [[0, 16, 32], [0, 18, 36], [0]]),
        ((155, 240, 240), (128, 128, 128), 0.5, [[0, 27], [0, 56, 112], [0, 56, 112]]),
        ((70, 71), (40, 56), 0.5, [[0, 15, 30], [0, 15]]),
        ((333,), (40,), 0.5, [[0, 20, 39, 59, 78, 98, 117, 137, 156, 176, 195, 215, 234, 254, 273, 293]]),
        ((91, 57, 128), (28, 56, 96), 0.7, [[0, 16, 32, 47, 63], [0, 1], [0, 32]]),
        ((50,), (24,), 0.3, [[0, 6, 13, 20, 26]]),
    ],
)
def test_tiles_start_where_nnunets_start(shape, patch, step, starts):
    assert [tile_starts(size, side, step=step) for size, side in zip(shape, patch, strict=True)] == starts


def test_tiles_cover_every_voxel_from_edge_to_edge():
    shape, patch = (31, 40, 12), (16, 24, 12)
    seen = np.zeros(shape, int)
    for corner in TileGrid.of(shape, Window(patch, 0.5)).corners():
        box = tuple(slice(low, low + side) for low, side in zip(corner, patch, strict=True))
        assert seen[box].shape == patch
        seen[box] += 1
    assert seen.min() >= 1


@pytest.mark.parametrize("patch", [(16,), (17,), (24, 32), (8, 20, 33), (40, 56, 40)])
def test_weights_are_scipys_gaussian_of_a_delta(patch):
    delta = np.zeros(patch)
    delta[tuple(side // 2 for side in patch)] = 1
    expected = gaussian_filter(delta, [side / 8 for side in patch], mode="constant")
    expected /= expected.max()
    weights = gaussian_weights(patch).numpy()
    np.testing.assert_allclose(weights[expected > 0], expected[expected > 0], rtol=1e-4)
    assert weights.max() == 1
    assert weights.min() > 0
