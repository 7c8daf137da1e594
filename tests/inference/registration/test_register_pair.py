"""Pairs whose transform is known; pairs that cannot be registered."""

import numpy as np
import pytest
import torch
from oblique_grid import oblique_grid
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation
from small_pair import image, on_grid, textured

from medarch.core.errors import GeometryError, UsageError, VolumeError
from medarch.core.geometry import Geometry
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.register_pair import register_pair
from medarch.inference.registration.settings import RegistrationSettings
from medarch.preprocessing.transforms.map_points import map_points

DEFAULT = RegistrationSettings()
LINEAR = RegistrationSettings(deformable=False)


def world_affine(*, degrees, scale, shift, about):
    """About a point, RAS+ mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * scale
    matrix[:3, 3] = about + np.array(shift) - matrix[:3, :3] @ about
    return matrix


def points_inside(geometry, share=0.6):
    """``(N, 3)`` mm around the middle."""
    half = (np.array(geometry.shape) - 1) / 2
    corners = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]) * half * share + half
    return corners @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]


def test_an_image_on_itself_stays_exactly_where_it_is():
    pair = image(textured())
    found = register_pair(pair, pair, DEFAULT)
    field, affine = found.chain.parts
    assert not field.vectors.any()
    assert np.array_equal(affine.matrix, np.eye(4))
    assert found.folds == 0


@pytest.mark.parametrize("axcodes", ["LAS", "PIR"])
def test_a_known_affine_is_found_between_grids_of_other_orientation_and_spacing(axcodes):
    moving_grid = oblique_grid(axcodes, shape=(34, 36, 30), spacing_mm=(1.5, 1.2, 1.9))
    fixed_grid = oblique_grid("RAS", shape=(30, 26, 28), spacing_mm=(1.4, 1.7, 1.5), degrees=-8.0)
    moving = textured(moving_grid.shape)
    truth = world_affine(degrees=(9, -7, 11), scale=1.06, shift=(4, -5, 3), about=np.array([-21.5, 33.25, 7.75]))
    fixed = on_grid(moving, moving_grid, truth, fixed_grid)
    found = register_pair(image(fixed, fixed_grid), image(moving, moving_grid), LINEAR)
    points = points_inside(fixed_grid)
    expected = points @ truth[:3, :3].T + truth[:3, 3]
    assert np.linalg.norm(map_points(points, found.chain).points_mm - expected, axis=1).max() < 0.3


def test_images_far_apart_are_found_by_their_centres_of_mass_when_asked():
    grid = Geometry.from_array((28, 32, 26), np.eye(4))
    far = np.eye(4)
    far[:3, 3] = (300.0, -200.0, 100.0)
    fixed, moving = image(textured(), grid), image(textured(), Geometry.from_array(grid.shape, far))
    with pytest.raises(GeometryError, match="do not overlap") as caught:
        register_pair(fixed, moving, LINEAR)
    assert "centres" in caught.value.fix
    found = register_pair(fixed, moving, RegistrationSettings(deformable=False, start="centres"))
    assert np.abs(found.chain.parts[0].matrix - far).max() < 1e-2


def deformed(array, *, largest, seed=1):
    """The image seen through a smooth random displacement (in voxels), and that displacement."""
    generator = np.random.default_rng(seed)
    field = np.stack([gaussian_filter(generator.normal(size=array.shape), 4.0) for _ in range(array.ndim)])
    field *= largest / np.abs(field).max()
    return map_coordinates(array, np.indices(array.shape) + field, order=3, mode="nearest"), field


def test_a_known_deformation_is_found_and_its_inverse_leads_back():
    moving = textured((30, 32, 28))
    fixed, truth = deformed(moving, largest=3.0)
    found = register_pair(image(fixed), image(moving), RegistrationSettings(smoothness=0.05))
    body = gaussian_filter(fixed, 1) > 0.3
    index = np.argwhere(body).astype(float)
    expected = index + truth[:, body].T
    there = map_points(index, found.chain).points_mm
    before = np.linalg.norm(truth[:, body], axis=0).mean()
    assert np.linalg.norm(there - expected, axis=1).mean() < 0.25 * before
    back = map_points(there, found.inverse).points_mm
    assert np.linalg.norm(back - index, axis=1).mean() < 0.05
    assert found.folds == 0
    assert found.jacobian.shape == fixed.shape


def of_another_modality(array):
    """Neither rising nor falling with the intensities."""
    return np.exp(-3 * (array - 0.7) ** 2)


def test_a_deformation_between_two_modalities_is_found_by_mind():
    moving = textured((28, 30, 26))
    fixed, truth = deformed(moving, largest=2.5, seed=3)
    settings = RegistrationSettings(similarity="mind", smoothness=0.05, linear="rigid")
    found = register_pair(image(of_another_modality(fixed)), image(moving), settings)
    body = fixed > 0.5
    index = np.argwhere(body).astype(float)
    error = np.linalg.norm(map_points(index, found.chain).points_mm - index - truth[:, body].T, axis=1).mean()
    assert error < 0.7 * np.linalg.norm(truth[:, body], axis=0).mean()


@pytest.mark.parametrize("similarity", ["mind", "nmi"])
def test_a_rigid_motion_between_two_modalities_is_found(similarity):
    grid = Geometry.from_array((28, 30, 26), np.eye(4))
    moving = textured(grid.shape)
    truth = world_affine(degrees=(8, -6, 9), scale=1.0, shift=(3, -2, 4), about=(np.array(grid.shape) - 1) / 2)
    fixed = of_another_modality(on_grid(moving, grid, truth, grid))
    settings = RegistrationSettings(similarity=similarity, linear="rigid", deformable=False)
    found = register_pair(image(fixed), image(moving), settings)
    points = points_inside(grid)
    expected = points @ truth[:3, :3].T + truth[:3, 3]
    assert np.linalg.norm(map_points(points, found.chain).points_mm - expected, axis=1).max() < 0.5


@pytest.mark.parametrize(
    ("look", "similarity"),
    [
        (lambda array: array, "lncc"),
        (lambda array: 300 * array + 40, "lncc"),
        (lambda array: array.max() - array, "mind"),
        (lambda array: np.abs(array - np.median(array[array > 0.3])), "mind"),
    ],
)
def test_the_pair_says_what_it_is_compared_by(look, similarity):
    moving = textured((34, 36, 32))
    fixed, _ = deformed(moving, largest=2.0)
    fixed = np.roll(fixed, 2, axis=1)
    by_itself = RegistrationSettings(similarity="auto", iterations=(5, 5, 5))
    found = register_pair(image(fixed), image(look(moving)), by_itself)
    assert found.similarity == similarity
    assert "correlates" in found.because
    asked = RegistrationSettings(similarity=similarity, iterations=(5, 5, 5))
    same = register_pair(image(fixed), image(look(moving)), asked)
    assert same.because == ""
    for one, other in zip(found.chain.parts, same.chain.parts, strict=True):
        assert np.array_equal(one.voxels() if hasattr(one, "voxels") else one.matrix,
                              other.voxels() if hasattr(other, "voxels") else other.matrix)  # fmt: skip


def test_two_pictures_are_registered_in_their_plane():
    moving = textured((60, 64, 9), seed=5)[:, :, 4]
    fixed, truth = deformed(moving, largest=3.0)
    grid = Geometry.from_array((60, 64, 1), np.diag([0.5, 0.5, 1.0, 1.0]))
    pair = [PairImage(array[np.newaxis, :, :, np.newaxis], grid) for array in (fixed, moving)]
    found = register_pair(*pair, RegistrationSettings(smoothness=0.05))
    assert found.chain.dimension == 2
    body = fixed > 0.3
    points = np.c_[np.argwhere(body) * 0.5, np.zeros(body.sum())]
    expected = points[:, :2] + 0.5 * truth[:, body].T
    error = np.linalg.norm(map_points(points, found.chain).points_mm[:, :2] - expected, axis=1).mean()
    assert error < 0.3 * 0.5 * np.linalg.norm(truth[:, body], axis=0).mean()


def test_oblique_slices_out_of_volumes_are_registered_too():
    grid = oblique_grid("PIR", shape=(40, 44, 1), spacing_mm=(1.0, 1.0, 3.0))
    moving = textured((40, 44, 9), seed=5)[:, :, 4:5]
    fixed = np.roll(moving, (2, -3), axis=(0, 1))
    found = register_pair(image(fixed, grid), image(moving, grid), LINEAR)
    middle = grid.matrix @ (20, 22, 0, 1)
    expected = grid.matrix @ (18, 25, 0, 1)
    assert np.linalg.norm(map_points(middle[None, :3], found.chain).points_mm[0] - expected[:3]) < 0.05


def test_what_a_mask_leaves_out_does_not_pull():
    moving = textured((28, 32, 26))
    fixed, _ = deformed(moving, largest=1.0)
    fixed[12:17, 12:17, 8:13] = 4.0  # the same thing at two places
    moving[12:17, 15:20, 8:13] = 4.0
    mask = np.ones(fixed.shape, np.uint8)
    mask[9:20, 9:23, 5:16] = 0
    plain = register_pair(image(fixed), image(moving), DEFAULT)
    for masked in (
        register_pair(image(fixed, mask=mask), image(moving), DEFAULT),
        register_pair(image(fixed), image(moving, mask=mask), DEFAULT),
    ):
        moved = [np.abs(pair.chain.parts[0].vectors).max() for pair in (masked, plain)]
        assert moved[0] < 0.5 * moved[1]


def test_a_start_is_kept_when_nothing_is_to_improve_and_improved_otherwise():
    moving = textured((30, 32, 28))
    fixed, truth = deformed(moving, largest=4.0)
    still = RegistrationSettings(linear="none", iterations=(0, 0, 0), seconds=60.0)
    kept = register_pair(image(fixed), image(moving), still, start=truth)
    assert np.abs(kept.chain.parts[0].vectors - truth).max() < 1e-4
    settings = RegistrationSettings(linear="none", iterations=(15, 15, 15), smoothness=0.05)
    better = register_pair(image(fixed), image(moving), settings, start=0.7 * truth)
    body = fixed > 0.5
    left = np.abs(better.chain.parts[0].vectors - truth)[:, body].mean()
    assert left < 0.7 * np.abs(0.3 * truth[:, body]).mean()


def test_a_time_budget_is_kept():
    moving = textured((40, 44, 36))
    fixed, _ = deformed(moving, largest=3.0)
    long = RegistrationSettings(linear="none", iterations=(5000, 5000, 5000), seconds=2.0)
    found = register_pair(image(fixed), image(moving), long)
    assert found.seconds < 10.0  # on a machine that is busy with other things
    assert 0 < found.iterations < 15000


@pytest.mark.parametrize(
    ("fixed", "moving", "error", "words"),
    [
        (np.zeros((12, 12, 12)), textured((12, 12, 12)), VolumeError, "fixed image is empty"),
        (textured((12, 12, 12)), np.ones((12, 12, 12)), VolumeError, "moving image is empty"),
        (textured((12, 12, 12)), np.where(np.eye(12)[..., None], np.nan, np.ones(12)), VolumeError, "NaN"),
        (textured((12, 12, 12)), textured((12, 12, 9))[:, :, 4:5], GeometryError, "dimension"),
        (textured((12, 12, 12))[4:5], textured((12, 12, 12))[4:5], GeometryError, "single voxel"),
        (textured((12, 12, 12)), textured((12, 12, 12))[:, 4:5], GeometryError, "moving image has a single voxel"),
    ],
)
def test_what_cannot_be_registered_is_refused(fixed, moving, error, words):
    with pytest.raises(error, match=words):
        register_pair(image(fixed), image(moving), DEFAULT)


def test_channels_must_agree_and_masks_must_fit():
    grey = image(textured((12, 12, 12)))
    colour = PairImage(np.repeat(grey.array, 3, axis=0), grey.geometry)
    with pytest.raises(GeometryError, match="channels"):
        register_pair(grey, colour, DEFAULT)
    with pytest.raises(VolumeError, match="mask"):
        register_pair(image(grey.array[0], mask=np.zeros((12, 12, 12))), grey, DEFAULT)
    assert register_pair(colour, colour, DEFAULT).folds == 0


def test_slices_at_an_angle_are_refused():
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("x", 80, degrees=True).as_matrix()
    pair = [
        image(textured((20, 20, 5))[:, :, 2:3], Geometry.from_array((20, 20, 1), matrix))
        for matrix in (np.eye(4), turned)
    ]
    with pytest.raises(GeometryError, match="different planes"):
        register_pair(*pair, DEFAULT)


@pytest.mark.parametrize(
    "changes",
    [{"similarity": "ssim"}, {"linear": "cubic"}, {"iterations": (1, 2)}, {"window": 4}, {"seconds": 0.0}],
)
def test_a_setting_that_does_not_exist_is_refused(changes):
    with pytest.raises(UsageError, match="does not fit"):
        RegistrationSettings(**changes)


@pytest.mark.gpu
def test_a_gpu_finds_what_the_cpu_finds():
    moving = textured((30, 32, 28))
    fixed, _ = deformed(moving, largest=3.0)
    found = [register_pair(image(fixed), image(moving), DEFAULT, device=device) for device in ("cpu", "cuda")]
    assert torch.cuda.is_available()
    fields = [pair.chain.parts[0].vectors for pair in found]
    assert np.abs(fields[0] - fields[1]).mean() < 0.1


def test_padding_is_not_taken_for_the_end_of_the_tissue():
    whole = textured((32, 34, 30))
    tissue = 2 + whole  # nowhere black
    grid = Geometry.from_array((24, 26, 22), np.eye(4))
    fixed = tissue[4:28, 4:30, 4:26]
    moving = np.zeros(grid.shape, np.float32)
    moving[:, 5:, :-4] = tissue[6:30, 4:25, 4:22]  # two voxels further along i, five along j are padding
    moved = np.array([-2.0, 5.0, 0.0])
    found = register_pair(image(fixed, grid), image(moving, grid), LINEAR)
    points = points_inside(grid, 0.3)
    assert np.linalg.norm(map_points(points, found.chain).points_mm - points - moved, axis=1).max() < 0.5
