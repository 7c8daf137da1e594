"""Blended tiles against MONAI's sliding window, and against blends by hand."""

import itertools

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from scipy.ndimage import gaussian_filter
from streamed_logits import streamed_logits
from torch import nn
from torch.nn import functional as F

from medarch.inference.footing import VOXELS_PER_PASS
from medarch.inference.window import Window

HEADS = 3


def network(dim, *, seed=0):
    """Sees beyond its voxel, so that what lies at a tile's border matters."""
    torch.manual_seed(seed)
    convolution = nn.Conv3d if dim == 3 else nn.Conv2d
    return nn.Sequential(convolution(1, 4, 3, padding=1), nn.ReLU(), convolution(4, HEADS, 3, padding=1)).eval()


def image(*grid):
    return torch.randn(1, *grid, generator=torch.Generator().manual_seed(0))


def scipy_weights(patch):
    delta = np.zeros(patch)
    delta[tuple(side // 2 for side in patch)] = 1
    # Times a large number: MONAI lifts small weights, which changes nothing after normalisation.
    return torch.from_numpy(gaussian_filter(delta, [side / 8 for side in patch], mode="constant") * 1e12).float()


@torch.no_grad()
def monai(net, x, patch, overlap=0.5):
    return sliding_window_inference(
        x[None], patch, 2, net, overlap=overlap, mode="gaussian", roi_weight_map=scipy_weights(patch)
    )[0]


@pytest.mark.parametrize("grid", [(16, 16, 16), (24, 16, 32), (8, 16, 24)])
def test_blended_tiles_equal_monai(grid):
    # Sizes that both tile alike: nnU-Net spreads tiles evenly, MONAI pushes the last one back.
    patch, net = (8, 8, 8), network(3)
    ours = streamed_logits([net], image(*grid), heads=HEADS, window=Window(patch=patch))
    torch.testing.assert_close(ours, monai(net, image(*grid), patch), rtol=1e-4, atol=1e-4)


def test_a_2d_network_predicts_slice_by_slice():
    net, volume = network(2), image(5, 16, 24)
    ours = streamed_logits([net], volume, heads=HEADS, window=Window(patch=(8, 8)))
    assert ours.shape == (HEADS, 5, 16, 24)
    for plane in range(5):
        torch.testing.assert_close(ours[:, plane], monai(net, volume[:, plane], (8, 8)), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_any_size_equals_a_blend_by_hand():
    patch, net, volume = (8, 12, 10), network(3), image(13, 31, 10)
    starts = [(0, 2, 5), (0, 5, 10, 14, 19), (0,)]
    weights = scipy_weights(patch)
    total, weight = torch.zeros(HEADS, 13, 31, 10), torch.zeros(13, 31, 10)
    for corner in itertools.product(*starts):
        box = tuple(slice(low, low + side) for low, side in zip(corner, patch, strict=True))
        total[(slice(None), *box)] += net(volume[(slice(None), *box)][None])[0] * weights
        weight[box] += weights
    ours = streamed_logits([net], volume, heads=HEADS, window=Window(patch=patch))
    torch.testing.assert_close(ours, total / weight, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_mirroring_is_the_mean_over_flipped_copies(axes):
    net, volume = network(3), image(8, 8, 8)
    flips = [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]
    assert len(flips) == 2 ** len(axes)
    spatial = [tuple(axis + 1 for axis in flip) for flip in flips]
    expected = torch.stack([net(volume.flip(flip)[None])[0].flip(flip) for flip in spatial]).mean(0)
    ours = streamed_logits([net], volume, heads=HEADS, window=Window(patch=(8, 8, 8), mirror_axes=axes))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_several_networks_are_averaged():
    nets, volume = [network(3, seed=seed) for seed in (1, 2, 3)], image(8, 8, 8)
    expected = torch.stack([net(volume[None])[0] for net in nets]).mean(0)
    ours = streamed_logits(nets, volume, heads=HEADS, window=Window(patch=(8, 8, 8)))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_an_image_smaller_than_the_patch_is_padded_around_and_cut_again():
    net, volume = network(3), image(5, 8, 4)
    expected = net(F.pad(volume, (2, 2, 0, 0, 1, 2))[None])[0][:, 1:6, :, 2:6]
    ours = streamed_logits([net], volume, heads=HEADS, window=Window(patch=(8, 8, 8)))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_how_many_tiles_go_through_at_once_does_not_change_the_result(monkeypatch):
    net, volume = network(3), image(20, 16, 16)
    window = Window(patch=(8, 8, 8), mirror_axes=(0, 2))
    many = streamed_logits([net], volume, heads=HEADS, window=window)
    monkeypatch.setitem(VOXELS_PER_PASS, "cpu", 1)
    one = streamed_logits([net], volume, heads=HEADS, window=window)
    torch.testing.assert_close(many, one, rtol=1e-4, atol=1e-5)
