"""Coarser images: against scipy's filter and torch's interpolation."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

from medarch.inference.registration.coarsen import coarsen
from medarch.inference.registration.grid_image import GridImage


def grid_image(shape, edges):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(1, 2, *shape, generator=generator)
    mask = (torch.rand(1, 1, *shape, generator=generator) > 0.4).float()
    return GridImage(values, torch.diag(torch.tensor([*edges, 1.0], dtype=torch.float64)), mask)


@pytest.mark.parametrize("spacing_mm", [1.3, 3.0, 7.5])
@pytest.mark.parametrize(
    ("shape", "edges"), [((31, 40, 22), (1.0, 1.2, 0.9)), ((9, 64, 50), (5.0, 0.8, 0.8)), ((33, 40), (1.0, 0.7))]
)
def test_a_coarser_image_is_smoothed_and_sampled_between_its_corners(shape, edges, spacing_mm):
    image = grid_image(shape, edges)
    found = coarsen(image, spacing_mm)
    size = found.values.shape[2:]
    ratios = [(old - 1) / (new - 1) for old, new in zip(shape, size, strict=True)]
    sigmas = [np.sqrt(max(0, ratio**2 - 1)) / 2 for ratio in ratios]
    radii = [round(3 * sigma) for sigma in sigmas]
    mode = "trilinear" if len(shape) == 3 else "bilinear"
    for tensor, ours in ((image.values, found.values), (image.mask, found.mask)):
        smooth = gaussian_filter(tensor.double().numpy(), (0, 0, *sigmas), mode="nearest", radius=(0, 0, *radii))
        expected = F.interpolate(torch.from_numpy(smooth), size, mode=mode, align_corners=True)
        torch.testing.assert_close(ours, expected.float(), atol=1e-6, rtol=0)
    corner = torch.tensor([length - 1 for length in size] + [1], dtype=torch.float64)
    before = torch.tensor([length - 1 for length in shape] + [1], dtype=torch.float64)
    torch.testing.assert_close(found.matrix @ corner, image.matrix @ before)


def test_an_image_that_is_coarse_enough_stays_as_it_is():
    image = grid_image((12, 9, 10), (2.0, 3.0, 2.0))
    assert coarsen(image, 1.5) is image
