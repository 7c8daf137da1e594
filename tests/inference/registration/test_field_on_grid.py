"""From the network's grid to files: points have to land where the network sends them, whatever the images' grids."""

import itertools

import numpy as np
import pytest
import torch

from medarch.core.geometry import Geometry
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.inference.registration.field_on_grid import field_on_grid
from medarch.preprocessing.network_matrix import network_matrix
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.prepare_case import prepare_case

ORIENTATIONS = ["RAS", "LPS", "SAR", "PIL", "IRP", "ASL"]


def geometry(shape, *, axcodes="RAS", spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0), degrees=0.0):
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation @ np.diag(spacing_mm), origin_mm
    return Geometry.from_array(shape, affine).reoriented(axcodes)[0]


def recipe(spacing_mm=(1.0, 1.0, 1.0), crop="none"):
    return PreprocessingPlan(
        orientation="RAS", axes=(2, 1, 0), spacing_mm=spacing_mm, crop=crop,
        normalisation=(ChannelNormalisation(scheme="zscore"),),
    )  # fmt: skip


def prepared(grid, *, how, case="c"):
    return prepare_case(np.random.default_rng(0).normal(size=(1, *grid.shape)), grid, case=case, recipe=how)


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_the_matrix_of_the_network_is_where_prepared_voxels_come_from(axcodes):
    """A ramp of millimetres along each world axis survives preparation: voxels keep their places."""
    grid = geometry((18, 20, 14), axcodes=axcodes, spacing_mm=(1.0, 1.5, 2.0), origin_mm=(-5, 7, 11), degrees=7)
    voxels = np.indices(grid.shape).reshape(3, -1)
    world = (grid.matrix[:3, :3] @ voxels + grid.matrix[:3, 3:]).reshape(3, *grid.shape)
    how = recipe((2.0, 1.0, 1.3)).model_copy(
        update={"normalisation": (ChannelNormalisation(scheme="none"),) * 3, "image_order": 1}
    )
    found = prepare_case(world, grid, case="c", recipe=how)
    inner = (slice(None), *[slice(2, -2)] * 3)  # beyond the outermost centres interpolation is flat
    matrix = network_matrix(found.record)
    places = np.indices(found.record.shape).reshape(3, -1)
    expected = (matrix[:3, :3] @ places + matrix[:3, 3:]).reshape(3, *found.record.shape)
    np.testing.assert_allclose(found.image[inner], expected[inner], atol=1e-3)


@pytest.mark.parametrize(("fixed_code", "moving_code"), list(itertools.pairwise(ORIENTATIONS)))
@pytest.mark.parametrize("alignment", ["world", "centres"])
def test_no_displacement_is_the_alignment_alone(fixed_code, moving_code, alignment):
    fixed_grid = geometry((16, 14, 12), axcodes=fixed_code, spacing_mm=(1.0, 1.0, 2.0), origin_mm=(4, -3, 9))
    moving_grid = geometry((18, 12, 10), axcodes=moving_code, spacing_mm=(1.0, 1.0, 2.0), origin_mm=(-30, 12, 5))
    how = recipe((2.0, 1.0, 1.0))
    fixed, moving = prepared(fixed_grid, how=how).record, prepared(moving_grid, how=how).record
    grid = PairGrid.of(fixed, moving, size=(12, 16, 20), alignment=alignment)
    field = field_on_grid(torch.zeros(1, 3, 12, 16, 20), grid, fixed, moving)
    if alignment == "world":
        np.testing.assert_allclose(field.vectors, 0, atol=1e-4)
        np.testing.assert_allclose(grid.start(fixed, moving), np.eye(4), atol=1e-9)
        return
    centres = [each.matrix @ [*(np.array(each.shape) - 1) / 2, 1] for each in (fixed_grid, moving_grid)]
    expected = (centres[1] - centres[0])[:3]  # shapes differ by even numbers of voxels
    np.testing.assert_allclose(np.moveaxis(field.vectors, 0, -1) - expected, 0, atol=1e-4)
    np.testing.assert_allclose(grid.start(fixed, moving)[:3, 3], expected, atol=1e-9)


def test_a_displacement_in_voxels_is_one_in_millimetres_of_the_world():
    """Two voxels along the network's first axis, which is the world's z: 2 mm × 2 up, on an oblique, flipped grid."""
    grid_mm = geometry((16, 14, 12), axcodes="LIP", spacing_mm=(1.5, 1.0, 2.0), degrees=10)
    record = prepared(grid_mm, how=recipe((2.0, 1.0, 1.5))).record
    displacement = torch.zeros(1, 3, 12, 16, 20)
    displacement[:, 0] = 2.0
    displacement[:, 2] = -1.0
    grid = PairGrid.of(record, record, size=(12, 16, 20), alignment="world")
    field = field_on_grid(displacement, grid, record, record)
    x = np.array([np.cos(np.radians(10)), np.sin(np.radians(10)), 0])
    expected = 4.0 * np.array([0, 0, 1]) - 1.5 * x
    np.testing.assert_allclose(np.moveaxis(field.vectors, 0, -1) - expected, 0, atol=1e-4)


def test_slices_move_in_their_plane():
    grid_mm = geometry((20, 16, 1), spacing_mm=(2.0, 1.0, 1.0))
    how = recipe((None, 1.0, 2.0))
    record = prepared(grid_mm, how=how).record
    displacement = torch.zeros(1, 2, 16, 24)
    displacement[:, 1] = 1.5
    grid = PairGrid.of(record, record, size=(16, 24), alignment="centres")
    field = field_on_grid(displacement, grid, record, record)
    np.testing.assert_allclose(np.moveaxis(field.vectors, 0, -1) - np.array([3.0, 0, 0]), 0, atol=1e-5)
