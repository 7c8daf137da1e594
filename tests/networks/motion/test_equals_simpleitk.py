"""Our motion against ITK's, on anisotropic and oblique grids."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from fields import smooth_field, smooth_image

from medarch.networks.motion.affine_displacement import affine_displacement
from medarch.networks.motion.bspline_field import bspline_field
from medarch.networks.motion.compose import compose
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.move_points import move_points
from medarch.networks.motion.transform_matrix import transform_matrix
from medarch.networks.motion.warp import warp

SPACING = {2: (1.9, 3.7), 3: (1.9, 2.3, 3.7)}
ORIGIN = {2: (-31.0, 12.5), 3: (-31.0, 12.5, 40.0)}
SIZE = {2: (34, 27), 3: (26, 31, 17)}
DIMS = pytest.mark.parametrize("dim", [2, 3])
INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "cubic": sitk.sitkBSpline3}


def direction(dim):
    """Oblique and left-handed."""
    if dim == 2:
        angle = 0.35
        return np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    axes = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    return axes if np.linalg.det(axes) < 0 else -axes


def on_grid(image, dim):
    image.SetSpacing(SPACING[dim])
    image.SetOrigin(ORIGIN[dim])
    image.SetDirection(direction(dim).ravel())
    return image


def itk_image(image, dim):
    """``(1, 1, *size)`` → ITK, which keeps the first axis last in memory."""
    return on_grid(sitk.GetImageFromArray(image[0, 0].numpy().T), dim)


def itk_vectors(field, dim):
    """Voxels in index order → LPS millimetres: direction · spacing · u."""
    vectors = np.einsum("rc,c,c...->r...", direction(dim), SPACING[dim], field[0].numpy())
    return on_grid(sitk.GetImageFromArray(np.ascontiguousarray(vectors.T), isVector=True), dim)


def itk_transform(field, dim):
    return sitk.DisplacementFieldTransform(sitk.Cast(itk_vectors(field, dim), sitk.sitkVectorFloat64))


def world(voxels, dim):
    return np.asarray(ORIGIN[dim]) + voxels * SPACING[dim] @ direction(dim).T


def from_itk(image):
    return torch.from_numpy(sitk.GetArrayFromImage(image).T.copy())


def interior(field, dim):
    """Voxels whose samples lie inside, where no rule for the outside matters."""
    places = field[0].numpy() + np.indices(SIZE[dim])
    limit = np.reshape(SIZE[dim], (dim, *[1] * dim)) - 1
    return torch.from_numpy(((places >= 0) & (places <= limit)).all(0))


@DIMS
@pytest.mark.parametrize("mode", sorted(INTERPOLATORS))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-3)])
def test_a_warped_image_is_itks(dim, mode, dtype, tolerance):
    image, field = smooth_image(SIZE[dim]), smooth_field(SIZE[dim], largest=4)
    moving = itk_image(image, dim)
    expected = from_itk(sitk.Resample(moving, moving, itk_transform(field, dim), INTERPOLATORS[mode], 0.0))
    found = warp(image.to(dtype), field.to(dtype), mode=mode, outside="border")[0, 0].double()
    mask = interior(field, dim)
    assert mask.double().mean() > 0.8
    differs = (found - expected).abs()[mask] > tolerance
    # A float32 position on the border of two voxels may fall on the other side.
    assert differs.double().mean() <= (1e-3 if mode == "nearest" else 0)


@DIMS
def test_half_a_voxel_outside_is_background_as_it_is_for_itk(dim):
    image, field = smooth_image(SIZE[dim]) + 10, torch.zeros(1, dim, *SIZE[dim], dtype=torch.float64)
    moving = itk_image(image, dim)
    for shift in (-3.4, -0.3, 2.6):
        field[:] = shift
        expected = from_itk(sitk.Resample(moving, moving, itk_transform(field, dim), sitk.sitkNearestNeighbor, 0.0))
        assert torch.equal(warp(image, field, mode="nearest")[0, 0], expected)
        assert torch.equal(warp(image, field, mode="cubic")[0, 0] == 0, expected == 0)


@DIMS
def test_points_follow_the_field_as_itks_do(dim):
    field = smooth_field(SIZE[dim], largest=4)
    voxels = np.random.default_rng(2).uniform(0.5, np.array(SIZE[dim]) - 1.5, (40, dim))
    transform = itk_transform(field, dim)
    expected = np.array([transform.TransformPoint(point) for point in world(voxels, dim).tolist()])
    found = world(move_points(torch.from_numpy(voxels), field).numpy(), dim)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@DIMS
def test_a_composition_is_itks_composite_transform(dim):
    outer, inner = (smooth_field(SIZE[dim], largest=2, seed=seed) for seed in (3, 4))
    chain = sitk.CompositeTransform([itk_transform(outer, dim), itk_transform(inner, dim)])
    voxels = np.argwhere(np.ones(SIZE[dim]))[::97].astype(float)
    inside = ((voxels > 2) & (voxels < np.array(SIZE[dim]) - 3)).all(1)
    expected = np.array([chain.TransformPoint(point) for point in world(voxels, dim).tolist()])
    found = world(move_points(torch.from_numpy(voxels), compose(outer, inner)).numpy(), dim)
    assert inside.sum() > 5
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-6)


@DIMS
def test_the_jacobian_is_itks_for_vectors_turned_to_the_index_axes(dim):
    field = smooth_field(SIZE[dim], largest=4)
    vectors = np.einsum("c,c...->c...", SPACING[dim], field[0].numpy())
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors.T), isVector=True)
    image.SetSpacing(SPACING[dim])
    expected = from_itk(sitk.DisplacementFieldJacobianDeterminant(image))
    inner = (slice(1, -1),) * dim
    found = jacobian_determinant(field)[0]
    assert float(found.min()) < 0.8
    assert float(found.max()) > 1.2
    torch.testing.assert_close(found[inner], expected[inner], rtol=0, atol=1e-6)


@DIMS
@pytest.mark.parametrize("kind", ["rigid", "similarity", "affine"])
def test_linear_transforms_are_itks_in_millimetres(dim, kind):
    """Rotation and scale as ITK's own classes hold them, about the middle of an anisotropic grid."""
    angle, scale = 0.4, 1.2
    rotations = [angle] if dim == 2 else [0.0, 0.0, angle]
    translation = [2.5, -1.0, 3.0][:dim]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.eye(dim)
    linear[:2, :2] = turn
    if kind == "affine":
        parameters = np.zeros((dim, dim))
        parameters[0, 1], parameters[1, 0] = -angle, angle
        parameters[0, 0] = parameters[1, 1] = np.log(scale)
        linear[:2, :2] *= scale
        numbers = [*parameters.ravel(), *translation]
    elif kind == "similarity":
        linear *= scale
        numbers = [*rotations, np.log(scale), *translation]
    else:
        numbers = [*rotations, *translation]
    transform = sitk.AffineTransform(dim)
    transform.SetMatrix(linear.ravel())
    middle = (np.array(SIZE[dim]) - 1) / 2 * SPACING[dim]
    transform.SetCenter(middle)
    transform.SetTranslation(translation)
    matrix = transform_matrix(torch.tensor([numbers], dtype=torch.float64), kind, size=SIZE[dim], spacing=SPACING[dim])
    field = affine_displacement(matrix, SIZE[dim])
    voxels = np.argwhere(np.ones(SIZE[dim]))[::301].astype(float)
    expected = np.array([transform.TransformPoint(point) for point in (voxels * SPACING[dim]).tolist()])
    found = move_points(torch.from_numpy(voxels), field).numpy() * SPACING[dim]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@DIMS
def test_a_bspline_field_is_itks_transform(dim):
    cells = (4, 5, 3)[:dim]
    transform = sitk.BSplineTransform(dim, 3)
    transform.SetTransformDomainOrigin([0.0] * dim)
    transform.SetTransformDomainPhysicalDimensions(
        [(length - 1) * step for length, step in zip(SIZE[dim], SPACING[dim], strict=True)]
    )
    transform.SetTransformDomainMeshSize(cells)
    control = torch.randn(1, dim, *[count + 3 for count in cells], generator=torch.Generator().manual_seed(0)).double()
    millimetres = np.einsum("c,c...->c...", SPACING[dim], control[0].numpy())
    transform.SetParameters(np.concatenate([part.ravel(order="F") for part in millimetres]))
    field = bspline_field(control, SIZE[dim])
    voxels = np.argwhere(np.ones(SIZE[dim]))[::53].astype(float)
    # ITK gives nothing at the last voxel of an axis itself.
    voxels = voxels[(voxels < np.array(SIZE[dim]) - 1).all(1)]
    expected = np.array([transform.TransformPoint(point) for point in (voxels * SPACING[dim]).tolist()])
    found = move_points(torch.from_numpy(voxels), field).numpy() * SPACING[dim]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@DIMS
def test_an_image_of_another_grid_is_sampled_in_its_own_voxels(dim):
    """Fixed and moving differ in size and spacing; the field carries the difference, as an affine from grid to grid."""
    image = smooth_image([length + 7 for length in SIZE[dim]])
    moving = sitk.GetImageFromArray(image[0, 0].numpy().T)
    moving.SetSpacing([1.3, 2.2, 1.7][:dim])
    moving.SetOrigin([-4.0, 3.0, 1.0][:dim])
    fixed = sitk.Image([2 * (length // 2) for length in SIZE[dim]], sitk.sitkFloat64)
    fixed.SetSpacing([1.6, 2.0, 2.9][:dim])
    fixed.SetOrigin([1.0, 5.0, 4.0][:dim])
    expected = from_itk(sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, 0.0))
    ratio = np.array(fixed.GetSpacing()) / moving.GetSpacing()
    start = (np.array(fixed.GetOrigin()) - moving.GetOrigin()) / moving.GetSpacing()
    matrix = torch.from_numpy(np.column_stack([np.diag(ratio), start]))[None]
    found = warp(image, affine_displacement(matrix, fixed.GetSize()))[0, 0]
    inside = np.indices(fixed.GetSize()) * ratio.reshape(-1, *[1] * dim) + start.reshape(-1, *[1] * dim)
    limit = np.reshape(moving.GetSize(), (dim, *[1] * dim)) - 1
    mask = torch.from_numpy(((inside >= 0) & (inside <= limit)).all(0))
    assert mask.double().mean() > 0.3
    torch.testing.assert_close(found[mask], expected[mask], rtol=0, atol=1e-6)
