"""What has to hold of motion whatever the implementation."""

import numpy as np
import pytest
import torch
from fields import smooth_field, smooth_image
from scipy.integrate import solve_ivp
from scipy.ndimage import map_coordinates

from medarch.core.errors import GeometryError, UsageError
from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.bspline_field import bspline_field
from medarch.networks.motion.compose import compose
from medarch.networks.motion.integrate_velocity import integrate_velocity
from medarch.networks.motion.invert import invert
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.move_points import move_points
from medarch.networks.motion.resize_field import resize_field
from medarch.networks.motion.transform_matrix import parameter_count, transform_matrix
from medarch.networks.motion.warp import warp

SIZE = {2: (40, 36), 3: (30, 36, 26)}
DIMS = pytest.mark.parametrize("dim", [2, 3])


def error(first, second):
    """Mean and largest distance in voxels."""
    distance = torch.linalg.vector_norm(first - second, dim=1)
    return float(distance.mean()), float(distance.max())


@DIMS
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("outside", ["zeros", "border"])
def test_no_motion_gives_the_image_itself(dim, mode, outside):
    image = smooth_image(SIZE[dim], dtype=torch.float32)
    found = warp(image, torch.zeros(1, dim, *SIZE[dim]), mode=mode, outside=outside)
    torch.testing.assert_close(found, image, rtol=0, atol=1e-3)


@DIMS
@pytest.mark.parametrize(("mode", "order"), [("linear", 1), ("cubic", 3)])
def test_warping_is_scipys_sampling_with_mirrored_edges(dim, mode, order):
    image, field = smooth_image(SIZE[dim]), smooth_field(SIZE[dim], largest=4)
    places = field[0].numpy() + np.indices(SIZE[dim])
    limit = np.reshape(SIZE[dim], (dim, *[1] * dim)) - 1
    expected = map_coordinates(image[0, 0].numpy(), np.clip(places, 0, limit), order=order, mode="mirror")
    np.testing.assert_allclose(warp(image, field, mode=mode, outside="border")[0, 0], expected, atol=1e-8)


@DIMS
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("outside", ["zeros", "border"])
def test_gradients_are_those_of_finite_differences(dim, mode, outside):
    size = (4, 5, 3)[:dim]
    image = smooth_image(size).requires_grad_()
    field = (smooth_field(size, largest=1.3) + 0.013).requires_grad_()
    assert torch.autograd.gradcheck(lambda *both: warp(*both, mode=mode, outside=outside), (image, field))
    fixed = image.detach()
    assert torch.autograd.gradcheck(lambda u: warp(fixed, u, mode=mode, outside=outside), (field,))


@DIMS
def test_label_maps_keep_their_type_and_values(dim):
    labels = (smooth_image(SIZE[dim]) // 20).to(torch.int16)
    found = warp(labels, smooth_field(SIZE[dim]), mode="nearest")
    assert found.dtype == torch.int16
    assert set(found.unique().tolist()) <= {0, *labels.unique().tolist()}


def test_half_precision_images_are_sampled_at_exact_places():
    image, field = smooth_image((300, 40)), smooth_field((300, 40))
    found = warp(image.half(), field.half(), outside="border")
    expected = warp(image.half().double(), field.half().double(), outside="border")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=4e-3)


@DIMS
def test_a_batch_is_warped_case_by_case(dim):
    images = torch.cat([smooth_image(SIZE[dim], seed=seed) for seed in (1, 2)])
    fields = torch.cat([smooth_field(SIZE[dim], seed=seed) for seed in (3, 4)])
    for mode in ("linear", "nearest", "cubic"):
        both = warp(images, fields, mode=mode)
        for number in (0, 1):
            alone = warp(images[number : number + 1], fields[number : number + 1], mode=mode)
            torch.testing.assert_close(both[number : number + 1], alone)


@DIMS
def test_there_and_back_along_a_velocity_is_where_it_started(dim):
    velocity = smooth_field(SIZE[dim], largest=5.0, dtype=torch.float32)
    there, back = integrate_velocity(velocity), integrate_velocity(-velocity)
    assert float(there.abs().max()) > 3
    mean, largest = error(compose(there, back), torch.zeros_like(there))
    assert mean <= 0.02
    assert largest <= 0.5
    assert float(jacobian_determinant(there).min()) > 0


@DIMS
def test_integration_solves_the_differential_equation(dim):
    velocity = smooth_field(SIZE[dim], largest=5.0)
    start = np.argwhere(np.ones(SIZE[dim]))[:: 7**dim // 2].astype(float)

    def speed(_, places):
        points = places.reshape(dim, -1)
        limit = np.reshape(SIZE[dim], (dim, 1)) - 1
        inside = np.clip(points, 0, limit)
        return np.concatenate([map_coordinates(part, inside, order=1) for part in velocity[0].numpy()])

    solved = solve_ivp(speed, (0, 1), start.T.ravel(), rtol=1e-6, atol=1e-6).y[:, -1].reshape(dim, -1).T
    found = move_points(torch.from_numpy(start), integrate_velocity(velocity)).numpy()
    distance = np.linalg.norm(found - solved, axis=1)
    assert distance.mean() < 0.02
    # The number of steps is chosen: one squaring is clearly worse, three more are no better.
    coarse = move_points(torch.from_numpy(start), integrate_velocity(velocity, squarings=1)).numpy()
    fine = move_points(torch.from_numpy(start), integrate_velocity(velocity, squarings=10)).numpy()
    assert np.linalg.norm(coarse - solved, axis=1).mean() > 3 * distance.mean()
    assert distance.mean() < 1.3 * np.linalg.norm(fine - solved, axis=1).mean()


@DIMS
def test_an_inverse_undoes_its_field(dim):
    field = smooth_field(SIZE[dim], largest=4.0)
    determinant = jacobian_determinant(field)
    assert float(determinant.min()) > 0
    assert float(determinant.max()) > 1.5
    inverse = invert(field)
    assert error(compose(field, inverse), torch.zeros_like(field))[1] < 2e-3
    # The other order is as good as linear interpolation of the inverse.
    assert error(compose(inverse, field), torch.zeros_like(field))[0] < 0.05


def test_an_inverse_is_found_where_space_stretches_to_four_times():
    line = torch.linspace(-15, 15, 31, dtype=torch.float64)
    stretched = 3 * line.clamp(-2, 2) * torch.exp(-(line**2) / 200)
    field = torch.stack([stretched[:, None].expand(31, 9), torch.zeros(31, 9, dtype=torch.float64)])[None]
    assert float(jacobian_determinant(field).max()) > 3.5
    assert float(jacobian_determinant(field).min()) > 0
    inverse = invert(field)
    assert error(compose(field, inverse), torch.zeros_like(field))[1] < 2e-3


@DIMS
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_resized_field_moves_the_same_places(dim, factor):
    """A quadratic motion: linear interpolation is off by no more than its bend."""
    old = [int(length * factor) + 1 for length in SIZE[dim]]
    share = [torch.linspace(0, 1, length, dtype=torch.float64) for length in SIZE[dim]]
    fine = torch.stack(torch.meshgrid(*share, indexing="ij"))
    coarse = torch.stack(
        torch.meshgrid(*[torch.linspace(0, 1, length, dtype=torch.float64) for length in old], indexing="ij")
    )

    def motion(place, size):
        extent = torch.tensor(size, dtype=torch.float64).view(-1, *[1] * dim) - 1
        return (0.1 * place.flip(0) ** 2 * extent)[None]

    found = resize_field(motion(coarse, old), SIZE[dim])
    assert error(found, motion(fine, SIZE[dim]))[1] < 0.02


def test_composition_applies_the_inner_one_first():
    """A shift and then a stretch is another place than the stretch first."""
    size = (21, 21)
    shift = affine_displacement(torch.tensor([[[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]]), size)
    stretch = affine_displacement(torch.tensor([[[1.5, 0.0, 0.0], [0.0, 1.0, 0.0]]]), size)
    point = torch.tensor([[4.0, 5.0]])
    assert move_points(point, compose(stretch, shift))[0, 0] == pytest.approx(1.5 * (4 + 3))
    assert move_points(point, compose(shift, stretch))[0, 0] == pytest.approx(1.5 * 4 + 3)


@DIMS
def test_warping_twice_is_warping_by_the_composition(dim):
    size = [2 * length for length in SIZE[dim]]
    image = smooth_image(size)
    for _ in range(3):
        image = (
            torch.nn.functional.avg_pool3d(image, 5, 1, 2)
            if dim == 3
            else torch.nn.functional.avg_pool2d(image, 5, 1, 2)
        )
    outer, inner = (smooth_field(size, largest=2.0, seed=seed) for seed in (5, 6))
    twice = warp(warp(image, outer, outside="border"), inner, outside="border")
    once = warp(image, compose(outer, inner), outside="border")
    assert float((twice - once).abs().mean() / image.std()) < 0.03


@pytest.mark.parametrize("kind", ["rigid", "similarity", "affine"])
@DIMS
def test_negated_parameters_turn_back_and_rigid_ones_keep_distances(dim, kind):
    generator = torch.Generator().manual_seed(0)
    numbers = 0.3 * torch.randn(2, parameter_count(kind, dim), generator=generator, dtype=torch.float64)
    numbers[:, -dim:] = 0
    spacing = (1.0, 2.0, 0.7)[:dim]
    there = transform_matrix(numbers, kind, size=SIZE[dim], spacing=spacing)
    back = transform_matrix(-numbers, kind, size=SIZE[dim], spacing=spacing)
    identity = torch.eye(dim, dtype=torch.float64).expand(2, dim, dim)
    torch.testing.assert_close(there[:, :, :dim] @ back[:, :, :dim], identity)
    scale = torch.diag(torch.tensor(spacing, dtype=torch.float64))
    world = scale @ there[:, :, :dim] @ scale.inverse()
    gram = world.transpose(1, 2) @ world
    if kind == "rigid":
        torch.testing.assert_close(gram, identity)
    if kind == "similarity":
        torch.testing.assert_close(gram, identity * gram[:, :1, :1])
    assert (torch.linalg.det(world) > 0).all()


def test_what_does_not_fit_says_so():
    with pytest.raises(GeometryError, match="not a displacement field"):
        warp(torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(GeometryError, match="not a displacement field"):
        warp(torch.zeros(1, 1, 8, 8, 8), torch.zeros(1, 2, 8, 8))
    with pytest.raises(GeometryError, match="batch"):
        warp(torch.zeros(2, 1, 8, 8), torch.zeros(1, 2, 8, 8))
    with pytest.raises(UsageError, match="linear, nearest or cubic"):
        warp(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 8, 8), mode="lanczos")
    with pytest.raises(UsageError, match="rigid, similarity or affine"):
        transform_matrix(torch.zeros(1, 6), "elastic", size=(8, 8))
    with pytest.raises(GeometryError, match=r"\(B, 6\)"):
        transform_matrix(torch.zeros(1, 5), "rigid", size=(8, 8, 8))
    with pytest.raises(GeometryError, match="at least 4"):
        bspline_field(torch.zeros(1, 2, 3, 5), (8, 8))
    with pytest.raises(GeometryError, match=r"\(B, 3, 4\)"):
        affine_displacement(torch.zeros(1, 2, 3), (8, 8, 8))
    with pytest.raises(GeometryError, match="points and field"):
        move_points(torch.zeros(4, 3), torch.zeros(1, 2, 8, 8))


def test_one_voxel_thick_images_are_warped():
    image = smooth_image((12, 14))[..., None]
    field = torch.cat([smooth_field((12, 14))[..., None], torch.zeros(1, 1, 12, 14, 1, dtype=torch.float64)], 1)
    expected = warp(image[..., 0], field[:, :2, ..., 0], outside="border")
    for mode in ("linear", "cubic"):
        expected = warp(image[..., 0], field[:, :2, ..., 0], mode=mode, outside="border")
        torch.testing.assert_close(warp(image, field, mode=mode, outside="border")[..., 0], expected)
    assert jacobian_determinant(field).shape == (1, 12, 14, 1)
