"""How smooth a field is: against MONAI on polynomials, for which all finite differences agree, and numpy."""

import numpy as np
import pytest
import torch
from monai.losses import BendingEnergyLoss, DiffusionLoss

from medarch.tasks.registration.bending import bending
from medarch.tasks.registration.diffusion import diffusion


def polynomial(shape, *, degree, seed=0):
    """Every component a random polynomial of the coordinates."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(side, dtype=float) for side in shape], indexing="ij"))
    linear = np.einsum("ca,a...->c...", rng.normal(size=(len(shape),) * 2), grid)
    quadratic = np.einsum("cab,a...,b...->c...", rng.normal(size=(len(shape),) * 3), grid, grid)
    return torch.from_numpy((linear + (quadratic if degree == 2 else 0)) / 5)[None]


@pytest.mark.parametrize("shape", [(7, 9), (6, 8, 7)])
def test_diffusion_of_a_linear_field_is_monais(shape):
    field = polynomial(shape, degree=1)
    assert diffusion(field).item() == pytest.approx(DiffusionLoss()(field).item(), rel=1e-5)


@pytest.mark.parametrize("shape", [(7, 9), (6, 8, 7)])
def test_bending_is_monais(shape):
    for field in (polynomial(shape, degree=2), torch.randn(2, len(shape), *shape, dtype=torch.float64)):
        assert bending(field).item() == pytest.approx(BendingEnergyLoss()(field).item(), rel=1e-5)
    assert bending(polynomial(shape, degree=1)).item() == pytest.approx(0, abs=1e-9)


def test_diffusion_is_the_mean_of_squared_differences_of_neighbours():
    field = torch.randn(2, 3, 6, 8, 7, generator=torch.Generator().manual_seed(0))
    expected = sum((np.diff(field.numpy(), axis=axis) ** 2).mean() for axis in (2, 3, 4))
    assert diffusion(field).item() == pytest.approx(expected, rel=1e-5)
    checkers = torch.from_numpy(np.indices((6, 6, 6)).sum(0) % 2)[None, None].expand(1, 3, -1, -1, -1)
    assert diffusion(checkers).item() == pytest.approx(3)


@pytest.mark.parametrize(("loss", "degree"), [(diffusion, 1), (bending, 2)])
def test_a_field_in_millimetres_costs_the_same_on_every_grid(loss, degree):
    """One field, sampled in cubes of 1 mm and in slices; polynomials have one derivative on both."""
    spacing = (0.5, 1.0, 4.0)
    rng = np.random.default_rng(3)
    linear, quadratic = rng.normal(size=(3, 3)), rng.normal(size=(3, 3, 3))

    def sampled(shape, spacing):
        millimetres = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")) * np.reshape(spacing, (3, 1, 1, 1))
        field = np.einsum("ca,a...->c...", linear, millimetres)
        if degree == 2:
            field = field + np.einsum("cab,a...,b...->c...", quadratic, millimetres, millimetres)
        return torch.from_numpy(field / np.reshape(spacing, (3, 1, 1, 1)))[None]

    cubes = loss(sampled((8, 8, 8), (1, 1, 1)))
    assert loss(sampled((8, 9, 5), spacing), spacing_mm=spacing).item() == pytest.approx(cubes.item(), rel=1e-4)


@pytest.mark.parametrize("loss", [diffusion, bending])
def test_gradients_are_those_of_finite_differences(loss):
    field = torch.randn(1, 3, 4, 5, 4, dtype=torch.float32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(field, spacing_mm=(1, 2, 3)), field)
    way = torch.randn(field.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        change = (loss(field + 0.1 * way, spacing_mm=(1, 2, 3)) - loss(field - 0.1 * way, spacing_mm=(1, 2, 3))) / 0.2
    assert (gradient * way).sum().item() == pytest.approx(change.item(), rel=1e-3)


def test_bending_of_two_slices_is_refused():
    with pytest.raises(ValueError, match="3 voxels"):
        bending(torch.zeros(1, 3, 2, 5, 5))
    assert diffusion(torch.zeros(1, 3, 1, 5, 5)).item() == 0
