"""How alike two images are: against MONAI, scipy and finite differences."""

import numpy as np
import pytest
import torch
from monai.losses import GlobalMutualInformationLoss, LocalNormalizedCrossCorrelationLoss
from scipy import ndimage
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.tasks.registration.box_sum import box_sum
from medarch.tasks.registration.joint_histogram import BLOCK, joint_histogram
from medarch.tasks.registration.local_correlation import LocalCorrelation
from medarch.tasks.registration.local_ncc import local_ncc
from medarch.tasks.registration.mind import mind
from medarch.tasks.registration.mind_descriptor import mind_descriptor
from medarch.tasks.registration.mse import mse
from medarch.tasks.registration.mutual_information import mutual_information
from medarch.tasks.registration.nmi import nmi

SHAPES = [(2, 2, 13, 16), (2, 1, 9, 12, 10)]


def images(shape, *, seed=0, smooth=1.0, dtype=torch.float64):
    """Two smooth images of unit size that have something to do with each other."""
    rng = np.random.default_rng(seed)
    sigma = (0, 0, *[smooth] * (len(shape) - 2))
    first = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    second = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    pair = first / first.std(), 0.7 * first / first.std() + 0.3 * second / second.std()
    return [torch.from_numpy(image).to(dtype) for image in pair]


def box(shape, margin):
    mask = torch.zeros(1, 1, *shape[2:])
    mask[(slice(None), slice(None), *[slice(margin, side - margin) for side in shape[2:]])] = 1
    return mask


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [1, 3, 5, 7, 9])
def test_a_box_sum_is_scipys_uniform_filter_times_its_size(shape, side):
    image, _ = images(shape)
    window = (side, *[3] * (len(shape) - 3))
    expected = ndimage.uniform_filter(image.numpy(), (1, 1, *window), mode="constant") * np.prod(window)
    np.testing.assert_allclose(box_sum(image, window).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("window", [3, 5])
def test_local_ncc_is_monais_away_from_the_border(shape, window):
    """MONAI fills up with zeros and counts them; where images are zero there, both say the same."""
    fixed, moving = (F.pad(image, [window] * (2 * (len(shape) - 2))) for image in images(shape))
    moving.requires_grad_()
    monai = LocalNormalizedCrossCorrelationLoss(len(shape) - 2, window, smooth_nr=0, smooth_dr=1e-12)
    theirs = 1 + monai(moving, fixed)
    (their_gradient,) = torch.autograd.grad(theirs, moving)
    ours = local_ncc(fixed, moving, window=window, epsilon=1e-12)
    (gradient,) = torch.autograd.grad(ours, moving)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    inside = box(fixed.shape, window) > 0  # in a constant window at the edge, rounding is all there is
    assert (gradient - their_gradient)[inside.expand_as(gradient)].abs().max() < 1e-6 * their_gradient.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_written_gradients_of_local_ncc_are_those_of_finite_differences(shape, masked):
    fixed, moving = images(shape)
    mask = torch.rand(1, 1, *shape[2:], generator=torch.Generator().manual_seed(0)).round() if masked else None
    window = (3, 5, 3)[: len(shape) - 2]
    fixed, moving = fixed.requires_grad_(), moving.requires_grad_()

    def loss(f, m):
        return local_ncc(f, m, window=window, mask=mask, epsilon=1e-6)

    gradients = torch.autograd.grad(3 * loss(fixed, moving), (fixed, moving))
    for seed in range(3):
        way = torch.randn(fixed.shape, generator=torch.Generator().manual_seed(seed))
        h = 1e-5
        with torch.no_grad():
            along_moving = (loss(fixed, moving + h * way) - loss(fixed, moving - h * way)) / (2 * h)
            along_fixed = (loss(fixed + h * way, moving) - loss(fixed - h * way, moving)) / (2 * h)
        assert (gradients[1] * way).sum().item() == pytest.approx(3 * along_moving.item(), rel=1e-4, abs=1e-7)
        assert (gradients[0] * way).sum().item() == pytest.approx(3 * along_fixed.item(), rel=1e-4, abs=1e-7)


def test_a_mask_hides_what_is_outside_it():
    fixed, moving = images((1, 1, 14, 12, 13), dtype=torch.float32)
    mask = box(fixed.shape, 3)
    spoilt = torch.where(mask > 0, moving, 1000 * torch.randn(moving.shape))
    for loss in (local_ncc, mse, nmi):
        assert loss(fixed, spoilt, mask=mask).item() == pytest.approx(loss(fixed, moving, mask=mask).item(), abs=1e-3)
    inside = (slice(None), slice(None), *[slice(3, -3)] * 3)
    for loss in (local_ncc, mse, nmi):
        assert loss(fixed, moving, mask=mask).item() == pytest.approx(
            loss(fixed[inside], moving[inside]).item(), abs=1e-4
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_local_ncc_of_flat_regions_is_finite_and_one_without_correlation(dtype):
    fixed, moving = images((1, 1, 16, 16, 16), dtype=torch.float32)
    fixed, moving = (fixed + 30).to(dtype), (moving - 200).to(dtype)
    moving[:, :, :9] = 7
    fixed[:, :, :9] = -3
    moving.requires_grad_()
    loss = local_ncc(fixed, moving, window=5)
    loss.backward()
    assert loss.dtype == torch.float32
    assert moving.grad.dtype == dtype
    assert moving.grad.isfinite().all()
    assert moving.grad[:, :, :6].abs().max() < 1e-2 * moving.grad.abs().max()
    flat = torch.full_like(fixed, 5.0)
    assert local_ncc(flat, flat).item() == pytest.approx(1, abs=1e-6)


def test_local_ncc_does_not_mind_brightness_and_contrast_and_a_prepared_image_gives_the_same():
    fixed, moving = images((2, 1, 12, 14, 13), dtype=torch.float32)
    assert local_ncc(fixed, fixed, window=5).item() < 1e-2
    prepared = LocalCorrelation(fixed, window=5)
    for image in (moving, moving + 50, -moving):
        assert prepared(image).item() == pytest.approx(local_ncc(fixed, moving, window=5).item(), abs=2e-3)


def test_an_even_window_and_different_shapes_are_refused():
    fixed, moving = images((1, 1, 8, 8, 8))
    with pytest.raises(PlanError, match="window"):
        local_ncc(fixed, moving, window=4)
    with pytest.raises(ValueError, match="shape"):
        local_ncc(fixed, moving[:, :, 1:])


def test_mse_is_torchs():
    fixed, moving = images((2, 2, 8, 9, 7), dtype=torch.float32)
    assert mse(fixed, moving) == F.mse_loss(moving, fixed)


@pytest.mark.parametrize("shape", [(1, 1, 40, 30), (1, 1, 12, 14, 10)])
def test_mutual_information_and_its_gradient_are_monais(shape):
    fixed, moving = (
        ((image - image.min()) / (image.max() - image.min())).float() for image in images(shape, smooth=1.5)
    )
    moving.requires_grad_()
    theirs = -GlobalMutualInformationLoss(num_bins=23)(moving, fixed)
    ours = mutual_information(fixed, moving, bins=23).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-3)  # they smooth the quotient
    expected, gradient = (torch.autograd.grad(value, moving)[0] for value in (theirs, ours))
    ends = (moving == moving.min()) | (moving == moving.max())  # they clip there
    gradient[ends], expected[ends] = 0, 0
    torch.testing.assert_close(gradient, expected, atol=3e-2 * expected.abs().max().item(), rtol=1e-2)


def histogram_of_numpy(first, second, weights, bins):
    """All voxels × bins at once."""
    shares = []
    for image in (first, second):
        counted = image[weights > 0]
        place = np.clip((image - counted.min()) / (counted.max() - counted.min()), 0, 1) * (bins - 1)
        share = np.exp(-2 * (place[:, None] - np.arange(bins)) ** 2)
        shares.append(share / share.sum(1, keepdims=True))
    return np.einsum("va,vb,v->ab", *shares, weights / weights.sum())


@pytest.mark.parametrize("masked", [False, True])
def test_the_joint_histogram_is_that_of_a_plain_implementation_over_more_than_one_block(masked):
    first, second = (image.flatten(2) for image in images((2, 2, 20, 30, 31), smooth=2))
    assert first.shape[2] > BLOCK
    mask = torch.rand(2, 1, first.shape[2], generator=torch.Generator().manual_seed(0), dtype=first.dtype)
    mask = (mask - 0.3).clamp(0, 0.5) * 2 if masked else torch.ones_like(mask)
    found = joint_histogram(first, second, bins=16, mask=mask if masked else None)
    for row in range(2):
        for channel in range(2):
            image, other = (tensor[row, channel].numpy() for tensor in (first, second))
            expected = histogram_of_numpy(image, other, mask[row, 0].numpy(), 16)
            np.testing.assert_allclose(found[row, channel].numpy(), expected, atol=1e-12)


def test_the_gradients_of_the_joint_histogram_are_those_of_finite_differences():
    first, second = (image.flatten(2) for image in images((2, 1, 6, 7)))
    mask = torch.linspace(0.1, 1, first.shape[2], dtype=first.dtype)[None, None].repeat(2, 1, 1)

    def within(first, second, mask):
        """Their ends, which count as constant, are of other voxels."""
        ends = [image.new_tensor([-9.0, 9.0]).expand(2, 1, 2) for image in (first, second)]
        images = [torch.cat(pair, dim=2) for pair in zip((first, second), ends, strict=True)]
        return joint_histogram(*images, bins=24, mask=torch.cat([mask, torch.ones(2, 1, 2, dtype=mask.dtype)], dim=2))

    given = [tensor.requires_grad_() for tensor in (first, second, mask)]
    assert torch.autograd.gradcheck(within, given)


def test_nmi_is_lower_where_the_images_belong_together_whatever_their_contrast():
    fixed, _ = images((1, 1, 20, 18, 16), smooth=2, dtype=torch.float32)
    other = torch.cos(2 * fixed)  # one intensity has several meanings in the other modality
    moved = torch.roll(other, 3, dims=2)
    assert nmi(fixed, other).item() < nmi(fixed, moved).item() - 0.05


def mind_of_scipy(image, radius, dilation):
    """Written from the paper, patch by patch."""
    dim = image.ndim
    padded = np.pad(image, dilation, mode="edge")
    views = {}
    for axis in range(dim):
        for sign in (-1, 1):
            start = [dilation] * dim
            start[axis] += sign * dilation
            views[axis, sign] = padded[tuple(slice(s, s + n) for s, n in zip(start, image.shape, strict=True))]
    places = sorted(views)
    pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :] if a[0] != b[0]]
    distances = np.stack(
        [ndimage.uniform_filter((views[a] - views[b]) ** 2, 2 * radius + 1, mode="nearest") for a, b in pairs]
    )
    distances -= distances.min(0)
    variance = distances.mean(0)
    return np.exp(-distances / np.clip(variance, 0.001 * variance.mean() + 1e-6, 1000 * variance.mean()))


@pytest.mark.parametrize("shape", [(15, 18), (11, 13, 12)])
def test_the_descriptor_is_that_of_a_plain_implementation(shape):
    image, _ = images((1, 1, *shape))
    ours = mind_descriptor(image, radius=1, dilation=2)
    assert ours.shape == (1, 4 if len(shape) == 2 else 12, *shape)
    np.testing.assert_allclose(ours[0].numpy(), mind_of_scipy(image[0, 0].numpy(), 1, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "radius", "dilation"), [((2, 1, 7, 9), 1, 2), ((1, 1, 5, 6, 4), 1, 2), ((1, 1, 8, 3), 2, 1)]
)
def test_the_gradient_of_the_descriptor_is_that_of_finite_differences(shape, radius, dilation):
    image, _ = images(shape)

    def describe(image):
        return mind_descriptor(image, radius=radius, dilation=dilation)

    assert torch.autograd.gradcheck(describe, image.requires_grad_())


def test_where_an_image_is_flat_and_beside_a_spike_the_gradient_of_the_descriptor_is_finite():
    image = torch.zeros(1, 1, 500, 500)
    image[..., 200, 150] = 1e3
    described = mind_descriptor(image.requires_grad_(), radius=0)
    described.sum().backward()
    assert described.min() == 0  # so far from typical that the exponential is
    assert image.grad.isfinite().all()


def test_mind_finds_the_place_across_modalities():
    fixed, _ = images((2, 2, 20, 18, 16), smooth=2, dtype=torch.float32)
    other = (3 - 2 * fixed).requires_grad_()
    assert mind(fixed, other).item() < 1e-6
    loss = mind(fixed, torch.roll(other, 2, dims=3))
    loss.backward()
    assert loss.item() > 0.02
    assert other.grad.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
def test_with_shared_noise_equal_images_are_the_minimum_and_the_gradient_is_that_of_finite_differences(shape):
    fixed, moving = images(shape)
    fixed[..., :4] = 0  # without contrast
    loss = LocalCorrelation(fixed, window=3, epsilon=0.05, noise=True)
    same = fixed.clone().requires_grad_()
    value = loss(same)
    (gradient,) = torch.autograd.grad(value, same)
    assert value.item() == pytest.approx(0, abs=1e-9)
    assert gradient.abs().max() < 1e-9
    moving.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(moving), moving)
    way = torch.randn(moving.shape, generator=torch.Generator().manual_seed(0), dtype=moving.dtype)
    with torch.no_grad():
        # The size of the image, which the gradient holds fixed, stays what it is along a way at right angles to it.
        centred = moving - moving.mean(tuple(range(2, moving.dim())), keepdim=True)
        axes = tuple(range(2, moving.dim()))
        way -= way.mean(axes, keepdim=True)
        way -= centred * (way * centred).sum(axes, keepdim=True) / centred.square().sum(axes, keepdim=True)
        along = (loss(moving + 1e-5 * way) - loss(moving - 1e-5 * way)) / 2e-5
    assert (gradient * way).sum().item() == pytest.approx(along.item(), rel=1e-4)
