import numpy as np
import pytest
import torch
from scipy import ndimage

from medarch.core.plan import AugmentationPlan
from medarch.preprocessing.sampling_theta import sampling_theta
from medarch.training.apply_augmentation import apply_augmentation
from medarch.training.draw_augmentation import Draw, draw_augmentation
from medarch.training.resample_patches import (
    OUTSIDE,
    keep_axis_0,
    patch_matrix,
    resample_patches,
    source_box,
)


def neutral(channels=1, **changes):
    ones = np.ones(channels)
    values = {
        "rotation": np.zeros(3),
        "scale": 1.0,
        "noise_std": 0.0,
        "noise_seed": 1,
        "blur_sigma": np.zeros((channels, 3)),
        "brightness": ones,
        "contrast": ones,
        "zoom": np.ones((channels, 3)),
        "gamma_inverted": ones,
        "gamma": ones,
        "mirror": np.zeros(3, bool),
    }
    return Draw(**(values | changes))


@pytest.fixture
def image():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1, 12, 14, 10)).astype(np.float32))


def test_a_neutral_draw_changes_nothing(image):
    label = torch.randint(0, 3, image.shape)
    out, moved = apply_augmentation(image.clone(), label, [neutral(), neutral()])
    torch.testing.assert_close(out, image)
    assert (moved == label).all()


def test_only_the_drawn_sample_is_touched(image):
    draws = [neutral(), neutral(brightness=np.array([1.2]), noise_std=0.1, gamma=np.array([1.3]))]
    out, _ = apply_augmentation(image.clone(), None, draws)
    assert (out[0] == image[0]).all()
    assert (out[1] != image[1]).any()


def test_blur_equals_scipy(image):
    sigma = np.array([[0.6, 0.9, 0.75]])
    out, _ = apply_augmentation(image.clone(), None, [neutral(blur_sigma=sigma), neutral()])
    expected = image[0, 0].numpy()
    for axis, width in enumerate(sigma[0]):
        expected = ndimage.gaussian_filter1d(expected, width, axis=axis, mode="nearest", radius=3)
    np.testing.assert_allclose(out[0, 0].numpy(), expected, atol=1e-5)


def test_gamma_keeps_mean_and_deviation(image):
    out, _ = apply_augmentation(
        image.clone(), None, [neutral(gamma=np.array([1.5])), neutral(gamma_inverted=np.array([0.7]))]
    )
    for before, after in zip(image, out, strict=True):
        assert abs(float(before.mean() - after.mean())) < 1e-4
        assert abs(float(before.std() - after.std())) < 1e-4
        assert (before - after).abs().max() > 0.05


def test_contrast_keeps_the_range(image):
    out, _ = apply_augmentation(image.clone(), None, [neutral(contrast=np.array([1.25])), neutral()])
    assert float(out[0].max()) <= float(image[0].max()) + 1e-6
    assert float(out[0].min()) >= float(image[0].min()) - 1e-6
    assert out[0].std() > image[0].std()


def test_mirror_moves_image_and_label_together(image):
    label = (image > 1).to(torch.int16)
    out, moved = apply_augmentation(image.clone(), label, [neutral(mirror=np.array([True, False, True])), neutral()])
    assert (out[0] == image[0].flip([1, 3])).all()
    assert (moved == (out > 1)).all()


def test_low_resolution_loses_detail_but_not_the_mean(image):
    out, _ = apply_augmentation(image.clone(), None, [neutral(zoom=np.full((1, 3), 0.5)), neutral()])
    assert out[0].std() < image[0].std()


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.4])
def test_resampled_patch_equals_scipy_affine_transform(scale):
    rng = np.random.default_rng(3)
    volume = ndimage.gaussian_filter(rng.normal(size=(30, 34, 28)), 2).astype(np.float32)
    patch, centre = (12, 16, 10), np.array([14.5, 17.0, 13.5])
    matrix = patch_matrix(np.radians([20, -10, 30]), scale)
    box = source_box(matrix, centre, patch)
    source = volume[tuple(slice(max(low, 0), high) for low, high in box)]
    start = [max(low, 0) for low, _ in box]
    theta = sampling_theta(matrix, centre - start, patch=patch, source=source.shape)
    ours, _ = resample_patches(
        torch.from_numpy(source)[None, None], None, torch.from_numpy(theta).float()[None], patch=patch
    )
    offset = centre - matrix @ ((np.array(patch) - 1) / 2)
    expected = ndimage.affine_transform(volume, matrix, offset, output_shape=patch, order=1)
    np.testing.assert_allclose(ours[0, 0].numpy(), expected, atol=1e-4)


def test_labels_follow_the_image_and_outside_stays_outside():
    label = np.zeros((20, 20, 20), np.int16)
    label[5:15, 5:15, 5:15] = 2
    padded = np.full((24, 24, 24), OUTSIDE, np.int16)
    padded[:20, :20, :20] = label
    image = torch.from_numpy((padded == 2).astype(np.float32))[None, None]
    theta = sampling_theta(
        patch_matrix(np.radians([0, 0, 30]), 1.3), np.array([9.5] * 3), patch=(18,) * 3, source=(24,) * 3
    )
    moved, labels = resample_patches(
        image, torch.from_numpy(padded)[None, None], torch.from_numpy(theta).float()[None], patch=(18,) * 3
    )
    assert set(labels.unique().tolist()) == {OUTSIDE, 0, 2}
    assert ((labels == 2) == (moved > 0.5)).float().mean() > 0.995


def test_dummy_2d_leaves_axis_0_alone():
    matrix = keep_axis_0(patch_matrix(np.array([0.5, 0, 0]), 1.2))
    assert (matrix[0] == [1, 0, 0]).all()
    assert (matrix[:, 0] == [1, 0, 0]).all()
    assert abs(np.linalg.det(matrix[1:, 1:]) - 1.44) < 1e-9


def test_probabilities_are_nnunets():
    rng = np.random.default_rng(0)
    plan = AugmentationPlan(mirror_axes=(0, 2))
    draws = [draw_augmentation(plan, 1, dim=3, rng=rng) for _ in range(4000)]
    shares = {
        "rotation": np.mean([draw.rotation.any() for draw in draws]),
        "scale": np.mean([draw.scale != 1 for draw in draws]),
        "noise": np.mean([draw.noise_std > 0 for draw in draws]),
        "blur": np.mean([draw.blur_sigma.any() for draw in draws]),
        "low resolution": np.mean([(draw.zoom < 1).any() for draw in draws]),
        "gamma": np.mean([(draw.gamma != 1).any() for draw in draws]),
    }
    expected = {"rotation": 0.2, "scale": 0.2, "noise": 0.1, "blur": 0.1, "low resolution": 0.125, "gamma": 0.3}
    assert all(abs(shares[name] - expected[name]) < 0.03 for name in expected), shares
    mirrored = np.mean([draw.mirror for draw in draws], axis=0)
    assert mirrored[1] == 0
    assert abs(mirrored[0] - 0.5) < 0.03
    assert max(np.abs(draw.rotation).max() for draw in draws) <= np.radians(30)


def test_the_preset_none_draws_nothing():
    draw = draw_augmentation(AugmentationPlan(preset="none"), 2, dim=3, rng=np.random.default_rng(0))
    assert not draw.moves
    assert not draw.mirror.any()
    assert (draw.brightness == 1).all()
