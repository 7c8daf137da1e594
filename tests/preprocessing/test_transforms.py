"""Volumes and points through transforms, judged by SimpleITK and by motions that are known."""

import tracemalloc

import numpy as np
import pytest
import SimpleITK
from oblique_grid import oblique_grid
from scipy import ndimage

from medarch.core.errors import GeometryError, TransformError, UsageError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.io.read_volume import read_volume
from medarch.io.transforms.itk_transform import from_itk, to_itk
from medarch.preprocessing.transforms import grid_blocks as grid_blocks_module
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.displacement_at import displacement_at
from medarch.preprocessing.transforms.grid_blocks import grid_blocks
from medarch.preprocessing.transforms.map_points import map_points
from medarch.preprocessing.transforms.warp_volume import warp_volume

FIXED = oblique_grid("LSA", shape=(24, 20, 16))
MOVING = oblique_grid("RAS", shape=(22, 26, 18), spacing_mm=(2.1, 1.7, 2.9), degrees=-17.0)
FIELD = oblique_grid("PIR", shape=(15, 16, 14), spacing_mm=(3.5, 4.0, 4.5), degrees=5.0)
ITK_MODES = {"linear": SimpleITK.sitkLinear, "cubic": SimpleITK.sitkBSpline, "nearest": SimpleITK.sitkNearestNeighbor}


def smooth_field(geometry: Geometry, *, size_mm: float = 6.0, seed: int = 0) -> DisplacementField:
    """Random, smooth, largest vector ``size_mm``."""
    noise = np.random.default_rng(seed).normal(size=(3, *geometry.shape))
    noise = np.stack([ndimage.gaussian_filter(component, 2.5, mode="nearest") for component in noise])
    return DisplacementField.from_vectors(noise * size_mm / np.linalg.norm(noise, axis=0).max(), geometry)


def affine(seed: int = 3) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(seed).normal(size=(3, 4)) * (0.05, 0.05, 0.05, 3.0)
    return AffineTransform.from_matrix(matrix)


def image_on(geometry: Geometry, *, seed: int = 1, sigma: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=geometry.shape)
    return ndimage.gaussian_filter(noise, sigma)[np.newaxis].astype(np.float32) * 100


def itk_image(array: np.ndarray, geometry: Geometry):
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    matrix = np.diag([-1, -1, 1, 1]) @ geometry.matrix
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / geometry.spacing_mm).ravel().tolist())
    return image


def itk_warp(array, moving, fixed, transform, mode, fill=0.0):
    reference = itk_image(np.zeros(fixed.shape, dtype=np.uint8), fixed)
    warped = SimpleITK.Resample(itk_image(array[0], moving), reference, transform, ITK_MODES[mode], fill)
    return SimpleITK.GetArrayFromImage(warped).T


CHAINS = {
    "affine": TransformChain((affine(),)),
    "field on another grid": TransformChain((smooth_field(FIELD),)),
    "field on the fixed grid, then affine": TransformChain((smooth_field(FIXED), affine())),
    "affine, field, affine": TransformChain((affine(), smooth_field(FIELD), affine(4))),
}


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("name", CHAINS)
def test_a_warped_image_is_that_of_simpleitk(name, mode):
    image = image_on(MOVING)
    if mode == "nearest":
        image = np.rint(image / 30).astype(np.int16)
    ours = warp_volume(image, MOVING, FIXED, CHAINS[name], interpolation=mode, fill=-7)
    theirs = itk_warp(image, MOVING, FIXED, to_itk(CHAINS[name]), mode, fill=-7)
    assert ours.array.dtype == theirs.dtype
    assert 0.3 < ours.inside < 1
    if mode == "nearest":  # but for ties within rounding
        assert (ours.array[0] != theirs).mean() < 1e-3
    else:  # ITK's direction cosines are rounded on their way through text-free headers: 1e-6 of an edge
        close = np.isclose(ours.array[0], theirs, atol=2e-4)
        assert (~close).sum() <= 2, "at most a voxel on the very face of the moving image falls otherwise"


def test_a_b_spline_of_itk_moves_images_as_it_does_there():
    domain = itk_image(np.zeros(FIXED.shape, dtype=np.float32), FIXED)
    spline = SimpleITK.BSplineTransformInitializer(domain, [4, 5, 3])
    spline.SetParameters((np.random.default_rng(0).normal(size=len(spline.GetParameters())) * 5).tolist())
    image = image_on(MOVING)
    ours = warp_volume(image, MOVING, FIXED, from_itk(spline))
    theirs = itk_warp(image, MOVING, FIXED, spline, "linear")
    np.testing.assert_allclose(ours.array[0], theirs, atol=1e-3)
    assert ours.defined > 0.9


def test_2d_images_and_fields_are_those_of_simpleitk(shared_data):
    fixed, moving = (
        SimpleITK.ReadImage(str(shared_data / "registration_2d_ct" / f"CT_2D_head_{name}.mha"), SimpleITK.sitkFloat32)
        for name in ("fixed", "moving")
    )
    image, grid = (
        read_volume(shared_data / "registration_2d_ct" / "CT_2D_head_moving.mha"),
        read_volume(shared_data / "registration_2d_ct" / "CT_2D_head_fixed.mha").geometry,
    )
    noise = np.random.default_rng(0).normal(size=(2, *grid.shape[:2])) * 40
    field = DisplacementField.from_voxels(ndimage.gaussian_filter(noise, (0, 6, 6)), grid)
    chain = TransformChain((field, AffineTransform.from_matrix([[1.05, 0.1, 3], [-0.1, 0.97, -5], [0, 0, 1]])))
    theirs = SimpleITK.Resample(moving, fixed, to_itk(chain), SimpleITK.sitkLinear, -1000.0)
    ours = warp_volume(image.array, image.geometry, grid, chain, fill=-1000)
    difference = np.abs(ours.array[0, :, :, 0] - SimpleITK.GetArrayFromImage(theirs).T)
    assert difference.max() < 1e-2  # of 4,000 HU
    with pytest.raises(TransformError, match="cannot move a volume"):
        warp_volume(image_on(MOVING), MOVING, FIXED, chain)


def test_no_transform_at_all_gives_the_image_back():
    image = image_on(MOVING)
    for mode in ("linear", "cubic", "nearest"):
        warped = warp_volume(image, MOVING, MOVING, TransformChain(()), interpolation=mode)
        np.testing.assert_allclose(warped.array, image, atol=1e-4)
        assert warped.inside == warped.defined == 1


def test_points_go_where_simpleitk_sends_them_also_outside_of_the_field():
    points = np.random.default_rng(5).uniform((-91, -37, -62), (49, 103, 78), size=(500, 3))
    flip = np.array([-1.0, -1.0, 1.0])
    for chain in CHAINS.values():
        transform = to_itk(chain)
        expected = np.array([flip * transform.TransformPoint((flip * point).tolist()) for point in points])
        np.testing.assert_allclose(map_points(points, chain).points_mm, expected, atol=1e-4)
    mapped = map_points(points, CHAINS["field on another grid"])
    np.testing.assert_array_equal(mapped.points_mm[~mapped.defined], points[~mapped.defined])
    assert 20 < mapped.defined.sum() < 480


def test_landmarks_follow_the_image():
    """A blob at a landmark of the moving image is found again where the inverse sends the landmark."""
    chain = CHAINS["field on the fixed grid, then affine"]
    centre = (MOVING.matrix @ [*(np.array(MOVING.shape) / 2), 1])[:3]
    landmarks = centre + np.random.default_rng(2).uniform(-9, 9, size=(6, 3))
    back = map_points(landmarks, chain.inverse())
    assert back.defined.all()
    for landmark, expected in zip(landmarks, back.points_mm, strict=True):
        index = np.stack(np.meshgrid(*map(np.arange, MOVING.shape), indexing="ij"), axis=-1)
        distance = np.linalg.norm(index @ MOVING.matrix[:3, :3].T + MOVING.matrix[:3, 3] - landmark, axis=-1)
        warped = warp_volume(np.exp(-((distance / 3.0) ** 2))[np.newaxis], MOVING, FIXED, chain).array[0]
        mass = np.array(ndimage.center_of_mass(warped**2))
        found = (FIXED.matrix @ [*mass, 1])[:3]
        assert np.linalg.norm(found - expected) < 0.6  # voxels are 1.9 × 2.3 × 3.7 mm, the motion 6 mm and more
        assert np.linalg.norm(landmark - expected) > 1.0


def test_a_known_shift_moves_labels_by_whole_voxels():
    labels = np.zeros((1, 10, 12, 8), dtype=np.uint8)
    labels[0, 3:6, 4:9, 2:5] = 3
    grid = oblique_grid("LPS", shape=(10, 12, 8))
    shift = np.zeros((3, 10, 12, 8))
    shift[1] = 2.0
    field = DisplacementField.from_voxels(shift, grid)
    warped = warp_volume(labels, grid, grid, TransformChain((field,)), interpolation="nearest").array
    assert warped.dtype == np.uint8
    np.testing.assert_array_equal(warped[0, :, :-2], labels[0, :, 2:])
    assert not warped[0, :, -2:].any()


@pytest.mark.parametrize("name", CHAINS)
def test_there_and_back_is_where_a_point_was(name):
    chain = CHAINS[name]
    centre = (FIXED.matrix @ [*(np.array(FIXED.shape) / 2), 1])[:3]
    points = centre + np.random.default_rng(2).uniform(-10, 10, size=(200, 3))
    there = map_points(points, chain)
    back = map_points(there.points_mm, chain.inverse())
    assert back.defined.all()
    assert np.linalg.norm(back.points_mm - points, axis=1).max() < 1e-3


def test_a_field_that_stretches_threefold_is_inverted():
    """Plain fixed-point iteration diverges above 2; the true inverse is known in one dimension."""
    grid = Geometry.from_array((101, 5, 5), np.diag([1.0, 1, 1, 1]))
    x = np.arange(101.0)
    target = np.interp(x, [0, 40, 60, 100], [0, 20, 80, 100])  # slopes 0.5, 3, 0.5
    vectors = np.zeros((3, 101, 5, 5))
    vectors[0] = (target - x)[:, None, None]
    chain = TransformChain((DisplacementField.from_vectors(vectors, grid),)).inverse()
    wanted = np.c_[np.linspace(1, 99, 300), np.full((300, 2), 2.0)]
    found = map_points(wanted, chain)
    assert found.defined.all()
    np.testing.assert_allclose(found.points_mm[:, 0], np.interp(wanted[:, 0], target, x), atol=1e-3)


def test_the_inverse_brings_back_what_came_from_outside_of_the_grid():
    grid = oblique_grid(shape=(10, 10, 10))
    field = DisplacementField.from_vectors(np.full((3, 10, 10, 10), 5.0), grid)
    corner = grid.matrix[:3, 3][np.newaxis]
    np.testing.assert_allclose(map_points(corner, TransformChain((field,)).inverse()).points_mm, corner - 5, atol=1e-3)


def test_the_inverse_leaves_alone_what_the_field_leaves_alone():
    """Forward of inverse is the identity inside and outside of the grid, but where nothing is moved to."""
    grid = oblique_grid(shape=(12, 14, 10))
    field = DisplacementField.from_vectors(smooth_field(grid).vectors + np.array([4.0, 0, 0]).reshape(3, 1, 1, 1), grid)
    chain = TransformChain((field,))
    points = np.random.default_rng(5).uniform((-46, 8, -17), (3, 58, 33), size=(3000, 3))
    back = map_points(points, chain.inverse())
    again = map_points(back.points_mm, chain)
    close = np.linalg.norm(again.points_mm - points, axis=1) < 1e-3
    index = (points - grid.matrix[:3, 3]) @ np.linalg.inv(grid.matrix[:3, :3]).T
    outside = ~((index > -0.5) & (index < np.array(grid.shape) - 0.5)).all(axis=1)
    assert 300 < (~outside).sum() < 1500
    assert close[outside].all()
    assert close[~outside].mean() > 0.6
    assert (np.linalg.norm(back.points_mm - points, axis=1)[outside] > 1).any()


def test_a_tear_and_a_fold_are_inverted_as_far_as_they_can_be():
    grid = Geometry.from_array((20, 4, 4), np.eye(4))
    vectors = np.zeros((3, 20, 4, 4))
    vectors[0, :10], vectors[0, 10:] = -6.0, 6.0  # torn apart: every place in the gap lies in the one stretched cell
    torn = TransformChain((DisplacementField.from_vectors(vectors, grid),)).inverse()
    gap = map_points(np.array([[9.5, 2, 2], [5.0, 2, 2]]), torn)
    assert gap.defined.all()
    assert ((gap.points_mm[:, 0] > 9) & (gap.points_mm[:, 0] < 10)).all()
    folded = TransformChain((DisplacementField.from_vectors(-vectors, grid),)).inverse()
    everywhere = np.c_[np.arange(20.0), np.full((20, 2), 2.0)]
    found = map_points(everywhere, folded)
    displacement, _ = displacement_at(folded.parts[0], found.points_mm, extend=True)
    sent = np.linalg.norm(found.points_mm + displacement - everywhere, axis=1) < 1e-3
    np.testing.assert_array_equal(found.defined, sent)
    assert sent.sum() >= 12


def test_a_chain_as_one_field_moves_images_as_the_chain_does():
    chain = CHAINS["affine, field, affine"]
    field = compose_field(chain, FIXED, dtype=np.float64)
    image = image_on(MOVING)
    one = warp_volume(image, MOVING, FIXED, TransformChain((field,)))
    all_ = warp_volume(image, MOVING, FIXED, chain)
    np.testing.assert_allclose(one.array, all_.array, atol=1e-4)
    # And as SimpleITK samples it.
    reference = itk_image(np.zeros(FIXED.shape, dtype=np.uint8), FIXED)
    theirs = SimpleITK.TransformToDisplacementField(
        to_itk(chain), SimpleITK.sitkVectorFloat64, reference.GetSize(), reference.GetOrigin(),
        reference.GetSpacing(), reference.GetDirection(),
    )  # fmt: skip
    expected = SimpleITK.GetArrayFromImage(theirs).transpose(3, 2, 1, 0) * np.array([-1, -1, 1]).reshape(3, 1, 1, 1)
    np.testing.assert_allclose(field.vectors, expected, atol=1e-4)


def test_an_inverse_as_one_field_is_the_inverse():
    chain = TransformChain((smooth_field(FIXED),))
    inverse = compose_field(chain.inverse(), FIXED, dtype=np.float64)
    both = TransformChain((inverse, chain.parts[0]))
    inner = np.stack(np.meshgrid(*(np.arange(4, size - 4) for size in FIXED.shape), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    points = inner @ FIXED.matrix[:3, :3].T + FIXED.matrix[:3, 3]
    assert np.linalg.norm(map_points(points, both).points_mm - points, axis=1).max() < 1e-3


def test_an_inverse_as_one_field_leads_back_from_the_faces_of_a_grid_that_lies_elsewhere():
    """Forty millimetres away; what lies half a voxel inside of the faces is interpolated with what lies outside."""
    near = oblique_grid(shape=(12, 14, 10))
    shift = np.array([40.0, 5.0, -3.0])
    vectors = smooth_field(near, size_mm=1.0).vectors + shift.reshape(3, 1, 1, 1)
    chain = TransformChain((DisplacementField.from_vectors(vectors, near),))
    matrix = near.matrix
    matrix[:3, 3] += shift + matrix[:3, :3] @ (0.5, -0.5, 0.5)
    inverse = compose_field(chain.inverse(), Geometry.from_array(near.shape, matrix), dtype=np.float64)
    index = np.stack(np.meshgrid(*map(np.arange, near.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    points = index @ near.matrix[:3, :3].T + near.matrix[:3, 3]
    back = map_points(map_points(points, chain).points_mm, TransformChain((inverse,)))
    assert back.defined.mean() > 0.5
    assert np.linalg.norm(back.points_mm - points, axis=1)[back.defined].max() < 0.5


def test_errors_say_that_field_or_image_lie_elsewhere():
    image = image_on(MOVING)
    far = oblique_grid(centre_mm=(900, 0, 0))
    with pytest.raises(TransformError, match="no voxel of the reference lies in the displacement field"):
        warp_volume(image, MOVING, FIXED, TransformChain((smooth_field(far),)))
    with pytest.raises(TransformError, match="no voxel of the grid lies in the displacement field"):
        compose_field(TransformChain((smooth_field(far),)), FIXED)
    with pytest.raises(GeometryError, match="nothing of the input lies on the reference"):
        warp_volume(image, MOVING, far, TransformChain((affine(),)))
    with pytest.raises(UsageError, match="fill value"):
        warp_volume(image.astype(np.uint8), MOVING, FIXED, TransformChain(()), interpolation="nearest", fill=-1)


def test_channels_are_warped_alike_and_lie_in_file_order():
    images = np.concatenate([image_on(MOVING, seed=seed) for seed in (1, 2)])
    warped = warp_volume(images, MOVING, FIXED, CHAINS["affine"])
    assert warped.array.transpose(0, 3, 2, 1).flags.c_contiguous
    for channel in (0, 1):
        alone = warp_volume(images[channel : channel + 1], MOVING, FIXED, CHAINS["affine"])
        np.testing.assert_array_equal(warped.array[channel], alone.array[0])


@pytest.mark.parametrize("points", [1, 50, 10**4, 10**7])
def test_blocks_of_any_size_are_the_whole_grid(points):
    index = np.stack(np.meshgrid(*map(np.arange, FIXED.shape), indexing="ij"))
    places = np.einsum("ab,bijk->aijk", FIXED.matrix[:3, :3], index) + FIXED.matrix[:3, 3].reshape(3, 1, 1, 1)
    seen = np.zeros(FIXED.shape, dtype=int)
    for block in grid_blocks(FIXED, points=points):
        block.of(seen)[...] += 1
        np.testing.assert_allclose(block.points_mm.T.reshape(3, *block.shape), block.of(places), atol=1e-10)
    assert (seen == 1).all()


def test_memory_is_bounded_by_blocks(monkeypatch):
    """Ten times the voxels: the arrays beside the result do not grow."""
    image = image_on(MOVING)

    def beside_the_result(shape) -> int:
        grid = oblique_grid(shape=shape, spacing_mm=(0.5, 0.5, 0.5))
        tracemalloc.start()
        try:
            result = warp_volume(image, MOVING, grid, CHAINS["affine, field, affine"])
            return tracemalloc.get_traced_memory()[1] - result.array.nbytes
        finally:
            tracemalloc.stop()

    monkeypatch.setattr(grid_blocks_module.grid_blocks, "__kwdefaults__", {"points": 2**15})
    small, large = beside_the_result((64, 64, 32)), beside_the_result((64, 64, 320))
    assert large < 1.1 * small < 12 * 2**20
