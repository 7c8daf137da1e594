"""The cost volume against torch's own cosine similarity of moved maps, and its written gradient against autograd."""

import pytest
import torch
from torch.nn import functional as F

from medarch.networks.register.local_matches import local_matches

OFFSETS = {
    2: [(0, 0), (-1, 0), (0, -1), (1, 0), (0, 1)],
    3: [(0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
}
SIZE = {2: (7, 10), 3: (5, 8, 6)}
DIMS = pytest.mark.parametrize("dim", [2, 3])


def maps(dim, channels=5):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, channels, *SIZE[dim], generator=generator) for _ in range(2)]


def traced(fixed, moving):
    """The same, one offset at a time, by torch; outside of the map 0."""
    dim = fixed.dim() - 2
    around = F.pad(moving, (1, 1) * dim)
    found = []
    for offset in OFFSETS[dim]:
        inside = tuple(slice(1 + step, 1 + step + side) for step, side in zip(offset, fixed.shape[2:], strict=True))
        found.append(F.cosine_similarity(fixed, around[(..., *inside)], dim=1))
    return torch.stack(found, dim=1)


@DIMS
def test_matches_are_cosines_of_features(dim):
    fixed, moving = maps(dim)
    torch.testing.assert_close(local_matches(fixed, moving), traced(fixed, moving), rtol=1e-5, atol=1e-6)


@DIMS
def test_a_map_moved_by_a_voxel_matches_there_best(dim):
    fixed, _ = maps(dim, channels=16)
    moved = torch.roll(fixed, 1, dims=2)
    best = local_matches(fixed, moved).argmax(1)
    middle = (slice(None), *(slice(1, -1),) * dim)
    assert (best[middle] == OFFSETS[dim].index((1, *(0,) * (dim - 1)))).all()


@DIMS
def test_the_written_gradient_is_that_of_autograd(dim):
    weights = torch.randn(2, 2 * dim + 1, *SIZE[dim], generator=torch.Generator().manual_seed(1))
    gradients = []
    for matches in (local_matches, traced):
        pair = [features.requires_grad_() for features in maps(dim)]
        gradients.append(torch.autograd.grad((matches(*pair) * weights).sum(), pair))
    for written, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(written, expected, rtol=1e-4, atol=1e-5)


def test_nothing_matches_nothing():
    """Features that are 0 give 0, and gradients that are finite."""
    pair = [torch.zeros(1, 4, 5, 5, requires_grad=True) for _ in range(2)]
    matches = local_matches(*pair)
    assert (matches == 0).all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(matches.sum(), pair))


def test_half_precision_is_compared_in_full():
    fixed, moving = maps(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = local_matches(fixed, moving)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, local_matches(fixed, moving))
