"""HoVerNet's loss against its definition, its authors' code and MONAI's."""

import importlib
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from test_nuclei_maps import ellipses
from torch.nn import functional as F

from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.tasks.nuclei.hover_loss import RAMP, UNKNOWN, HoverTarget, cross_entropy_and_dice, hover_loss, slope_error


def sample(seed=0, kinds=4):
    labels = np.stack([ellipses(seed), ellipses(seed + 1)])[:, :120, :120]
    distances = torch.from_numpy(np.stack([distance_maps(one) for one in labels]))
    nuclei = torch.from_numpy(labels > 0)
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(1, kinds, nuclei.shape, generator=generator) * nuclei
    output = torch.randn(2, 4 + kinds, 120, 120, generator=generator)
    return output, HoverTarget(nuclei, distances, kind)


def test_the_loss_is_the_sum_of_the_six_terms_of_the_paper():
    output, target = sample()
    expected = 0.0
    for logits, truth in ((output[:, :2], target.nuclei.long()), (output[:, 4:], target.types)):
        shares = logits.softmax(1)
        expected += -torch.log(shares.gather(1, truth[:, None])).mean()
        for index in range(logits.shape[1]):
            p, t = shares[:, index], (truth == index).float()
            expected += 1 - (2 * (p * t).sum() + 1e-3) / (p.sum() + t.sum() + 1e-3)
    expected += ((output[:, 2:4] - target.distances) ** 2).mean()
    expected += 2 * slope_error(output[:, 2:4], target.distances, target.nuclei)
    torch.testing.assert_close(hover_loss(output, target), expected)
    without = hover_loss(output[:, :4], HoverTarget(target.nuclei, target.distances))
    torch.testing.assert_close(without, expected - cross_entropy_and_dice(output[:, 4:], target.types))


def test_slopes_are_summed_pixel_by_pixel_as_defined():
    output, target = sample(3)
    row, column = target.nuclei[0, 20:90, 20:90].nonzero()[0].tolist()
    box = (..., slice(row + 10, row + 30), slice(column + 10, column + 34))
    maps, truth, inside = output[:1, 2:4][box], target.distances[:1][box], target.nuclei[:1][box]
    padded = F.pad(maps - truth, (2, 2, 2, 2))[0].numpy()
    total, count = 0.0, 0
    for row, column in np.argwhere(inside[0].numpy()):
        for channel in range(2):
            slope = 0.0
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    along = dx if channel == 0 else dy
                    if dx or dy:
                        slope += along / (dx * dx + dy * dy) * padded[channel, row + 2 + dy, column + 2 + dx]
            total, count = total + slope**2, count + 1
    assert float(slope_error(maps, truth, inside)) == pytest.approx(total / count, rel=1e-4)


def test_perfect_maps_have_no_error_of_distances_in_2d_and_3d():
    _, target = sample()
    assert slope_error(target.distances, target.distances, target.nuclei) == 0
    volume = torch.zeros(1, 3, 9, 9, 9)
    tilted = volume + torch.arange(9.0)  # all maps rise along x by 1 a voxel
    inside = torch.zeros(1, 9, 9, 9, dtype=torch.bool)
    inside[0, 4, 4, 4] = True
    # Only the map of x looks along x.
    assert float(slope_error(tilted, volume, inside)) == pytest.approx(RAMP**2 / 3, rel=1e-5)


def test_a_slope_is_answered_alike_in_2d_in_3d_and_with_voxels_longer_along_one_axis():
    picture, volume = torch.zeros(1, 2, 9, 9), torch.zeros(1, 3, 9, 9, 9)
    inside = torch.zeros(9, 9, 9, dtype=torch.bool)
    inside[4, 4, 4] = True
    # As published: the sum of x·x / (x² + y²) over 5×5 pixels.
    published = sum(x * x / (x * x + y * y) for x in range(-2, 3) for y in range(-2, 3) if x or y)
    flat = float(slope_error(picture + torch.arange(9.0), picture, inside[None, 4]))
    assert flat == pytest.approx(published**2 / 2, rel=1e-5)
    assert published == pytest.approx(RAMP)
    for axis in range(3):
        spacing = (2.5, 1.0, 1.0)
        # Rises by 1 a shortest length along one axis.
        ramp = (torch.arange(9.0) * spacing[axis]).reshape([-1 if other == axis else 1 for other in range(3)])
        found = slope_error(volume + ramp, volume, inside[None], spacing=spacing)
        assert float(found) == pytest.approx(RAMP**2 / 3, rel=1e-5)


def test_pixels_of_unknown_type_do_not_count():
    output, target = sample()
    hidden = target.types.clone()
    hidden[:, :60] = UNKNOWN
    whole = cross_entropy_and_dice(output[:, 4:], hidden)
    torch.testing.assert_close(whole, cross_entropy_and_dice(output[:, 4:, 60:], target.types[:, 60:]))
    assert cross_entropy_and_dice(output[:, 4:], torch.full_like(hidden, UNKNOWN)).isfinite()


def test_monais_slopes_weigh_a_hundredth():
    from monai.apps.pathology.losses.hovernet_loss import HoVerNetLoss

    output, target = sample()
    theirs = HoVerNetLoss(lambda_hv_mse=0)
    monai = theirs._mse_gradient_loss(output[:, 2:4], target.distances, target.nuclei.float())
    ratio = float(slope_error(output[:, 2:4], target.distances, target.nuclei) / monai)
    assert 50 < ratio < 1000


@pytest.mark.peer
def test_each_term_is_the_authors():
    folder = os.environ.get("MEDARCH_HOVERNET_SOURCE", "")
    if not (Path(folder) / "models" / "hovernet" / "utils.py").is_file():
        pytest.skip("MEDARCH_HOVERNET_SOURCE names no checkout of hover_net")
    settings = types.ModuleType("config")
    settings.Config = object
    sys.modules["config"] = settings
    sys.path.insert(0, folder)
    try:
        theirs = importlib.import_module("models.hovernet.utils")
    finally:
        sys.path.remove(folder)
    output, target = sample()
    truth = F.one_hot(target.types, 4).float()
    shares = output[:, 4:].softmax(1).movedim(1, -1)
    expected = theirs.xentropy_loss(truth, shares) + theirs.dice_loss(truth, shares)
    torch.testing.assert_close(cross_entropy_and_dice(output[:, 4:], target.types), expected, rtol=1e-5, atol=1e-5)
    # Their kernels are made on the GPU; they take map 0 for the vertical one, though their data have it second.
    arange = torch.arange

    def on_the_cpu(*values, device=None, **options):
        return arange(*values, **options)

    theirs.torch.arange = on_the_cpu
    try:
        swapped = [maps.flip(1).movedim(1, -1) for maps in (target.distances, output[:, 2:4])]
        expected = theirs.msge_loss(*swapped, target.nuclei)
    finally:
        theirs.torch.arange = arange
    found = slope_error(output[:, 2:4], target.distances, target.nuclei)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
