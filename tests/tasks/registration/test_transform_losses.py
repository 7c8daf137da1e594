"""What a transform itself costs: against SimpleITK, SciPy and finite differences."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.move_points import move_points
from medarch.tasks.registration.inverse_consistency import inverse_consistency
from medarch.tasks.registration.jacobian_penalty import jacobian_penalty
from medarch.tasks.registration.landmark_distance import landmark_distance

SHAPES = [(18, 20), (13, 15, 12)]


def smooth_field(shape, *, size, seed=0):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(1, len(shape), *shape)), (0, 0, *[2.0] * len(shape)))
    return torch.from_numpy(size * field / np.abs(field).max())


def determinants_of_itk(field):
    """Central differences, inside the border; SimpleITK wants (K, J, I, vector)."""
    vectors = np.moveaxis(field[0].numpy(), 0, -1).transpose(*reversed(range(field.dim() - 2)), -1)
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors), isVector=True)
    determinants = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))
    return determinants.transpose()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_jacobian_penalty_is_the_depth_of_the_folds_that_itk_sees(shape):
    # Nothing moves at the border, where the two take differences in their own ways.
    field = torch.nn.functional.pad(smooth_field(shape, size=6), [2] * (2 * len(shape)))
    determinants = determinants_of_itk(field)
    assert (determinants <= 0).any()
    expected = np.maximum(0.1 - determinants, 0).mean()
    assert jacobian_penalty(field, least=0.1).item() == pytest.approx(expected, rel=1e-5)
    assert jacobian_penalty(smooth_field(shape, size=0.3)).item() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_translation_and_its_opposite_are_consistent_and_twice_one_way_is_not(shape):
    there = torch.ones(2, len(shape), *shape) * 0.25
    assert inverse_consistency(there, -there).item() == pytest.approx(0, abs=1e-12)
    spacing = (2.0, 1.0, 4.0)[: len(shape)]
    expected = sum((0.5 * side) ** 2 for side in spacing)
    assert inverse_consistency(there, there, spacing_mm=spacing).item() == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_velocity_and_its_negative_are_consistent_and_the_loss_is_scipys(shape):
    velocity = smooth_field(shape, size=1.5)
    there, back = integrate_velocity(velocity), integrate_velocity(-velocity)
    assert inverse_consistency(there, back).item() < 3e-3
    grid = np.indices(shape)

    def trip(first, second):
        places = grid + first[0].numpy()
        return first[0].numpy() + np.stack(
            [ndimage.map_coordinates(component, places, order=1, mode="nearest") for component in second[0].numpy()]
        )

    expected = np.mean([(trip(*pair) ** 2).sum(0).mean() for pair in ((there, -there), (-there, there))])
    assert inverse_consistency(there, -there).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_landmarks_that_moved_as_the_field_says_are_no_distance_apart(shape):
    field = smooth_field(shape, size=2)
    points = torch.rand(7, len(shape), dtype=torch.float64) * (torch.tensor(shape) - 1)
    moved = move_points(points, field)
    assert landmark_distance(field, points, moved).item() < 1e-5
    spacing = (0.5, 2.0, 3.0)[: len(shape)]
    shift = torch.tensor([1.0, -2.0, 0.5][: len(shape)], dtype=torch.float64)
    expected = float(np.linalg.norm(shift.numpy() * spacing))
    assert landmark_distance(field, points, moved + shift, spacing_mm=spacing).item() == pytest.approx(expected)
    field.requires_grad_()
    landmark_distance(field, points, move_points(points, field).detach()).backward()
    assert field.grad.isfinite().all()


@pytest.mark.parametrize("loss", [lambda u: jacobian_penalty(u, least=1.0), lambda u: inverse_consistency(u, -0.5 * u)])
def test_gradients_are_those_of_finite_differences(loss):
    field = smooth_field((7, 8, 6), size=1.2).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(field), field)
    way = torch.randn(field.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        change = (loss(field + 1e-6 * way) - loss(field - 1e-6 * way)) / 2e-6
    assert (gradient * way).sum().item() == pytest.approx(change.item(), rel=1e-4)
