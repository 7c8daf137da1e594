"""Measures of registrations, judged by SimpleITK, by other implementations and by motions that are known."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from oblique_grid import ORIENTATIONS, oblique_grid
from scipy import ndimage

from medarch.core.errors import EvaluationError
from medarch.core.geometry import Geometry
from medarch.core.landmarks import Landmarks
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.evaluation.registration import jacobian_determinant as jacobian_module
from medarch.evaluation.registration.evaluate_registrations import evaluate_registrations
from medarch.evaluation.registration.inverse_consistency import inverse_consistency
from medarch.evaluation.registration.jacobian_determinant import jacobian_determinant
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.evaluation.registration.smoothness import smoothness
from medarch.evaluation.registration.target_registration_error import target_registration_error
from medarch.evaluation.registration.write_registration_tables import write_registration_tables
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.transforms.write_transform import write_transform
from medarch.io.write_volume import write_volume
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.map_points import map_points

INNER = (slice(1, -1),) * 3


def smooth_field(geometry: Geometry, *, size_voxels: float = 2.0, seed: int = 0) -> DisplacementField:
    noise = np.random.default_rng(seed).normal(size=(3, *geometry.shape))
    noise = np.stack([ndimage.gaussian_filter(component, 2.5, mode="nearest") for component in noise])
    return DisplacementField.from_voxels(noise * size_voxels / np.linalg.norm(noise, axis=0).max(), geometry)


@pytest.mark.parametrize("axcodes", ORIENTATIONS[::5])
def test_the_jacobian_is_itk_s_after_the_vectors_are_turned_to_the_axes(axcodes):
    """ITK leaves the direction out, so it is given the same field on an axis-parallel grid."""
    grid = oblique_grid(axcodes)
    field = smooth_field(grid)
    voxels = field.voxels() * np.array(grid.spacing_mm).reshape(3, 1, 1, 1)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T), isVector=True)
    image.SetSpacing(grid.spacing_mm)
    expected = SimpleITK.GetArrayFromImage(SimpleITK.DisplacementFieldJacobianDeterminant(image)).T
    ours = jacobian_determinant(field)
    np.testing.assert_allclose(ours[INNER], expected[INNER], atol=1e-6)
    assert ours.std() > 0.05


def test_the_jacobian_of_an_affine_transform_is_its_determinant_everywhere():
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(3).normal(size=(3, 4)) * 0.1
    field = compose_field(TransformChain((AffineTransform.from_matrix(matrix),)), oblique_grid("AIL"), dtype=np.float64)
    np.testing.assert_allclose(jacobian_determinant(field), np.linalg.det(matrix), atol=1e-9)


def test_the_jacobian_of_a_2d_field_is_that_of_its_plane():
    grid = Geometry.from_array((30, 25, 1), np.diag([1.5, 0.8, 1, 1]))
    voxels = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2, 30, 25)), (0, 3, 3)) * 8
    du, dv = (np.gradient(component) for component in voxels)
    expected = (1 + du[0]) * (1 + dv[1]) - du[1] * dv[0]
    np.testing.assert_allclose(jacobian_determinant(DisplacementField.from_voxels(voxels, grid))[..., 0], expected)


def test_slabs_do_not_show(monkeypatch):
    field = smooth_field(oblique_grid("SRP"))
    whole = jacobian_determinant(field)
    monkeypatch.setattr(jacobian_module, "_VOXELS_A_SLAB", 1)
    np.testing.assert_array_equal(jacobian_determinant(field), whole)


def test_folds_are_counted_and_have_no_logarithm():
    found = smoothness(np.array([[1.0, np.e], [0.0, -3.0]]))
    assert found.folding_share == 0.5
    assert found.sd_log_jacobian == pytest.approx(0.5)
    assert smoothness(np.array([-1.0])).sd_log_jacobian is None
    # A mirrored patch folds.
    grid = Geometry.from_array((20, 20, 20), np.eye(4))
    voxels = np.zeros((3, 20, 20, 20))
    voxels[0, 8:12] = -2.0 * (np.arange(4) - 1.5)[:, None, None]
    assert 0.05 < smoothness(jacobian_determinant(DisplacementField.from_voxels(voxels, grid))).folding_share < 0.2


def test_inverse_consistency_is_zero_for_an_inverse_and_the_shift_for_one_that_misses_by_it():
    grid = oblique_grid("LSA", shape=(24, 20, 16))
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(3).normal(size=(3, 4)) * (0.02, 0.02, 0.02, 1)
    forward = TransformChain((smooth_field(grid), AffineTransform.from_matrix(matrix)))
    exact = inverse_consistency(forward, forward.inverse(), grid)
    assert exact.largest_mm < 1e-3
    shift = np.eye(4)
    shift[:3, 3] = (0.3, 0.0, 0.4)
    missing = TransformChain((*forward.inverse().parts, AffineTransform.from_matrix(shift)))
    found = inverse_consistency(forward, missing, grid)
    assert found.mean_mm == pytest.approx(0.5, abs=1e-3)
    assert inverse_consistency(forward, TransformChain(()), grid).mean_mm > 0.8
    far = TransformChain((smooth_field(oblique_grid(centre_mm=(900, 0, 0))),))
    with pytest.raises(EvaluationError, match="no voxel in common"):
        inverse_consistency(forward, far, grid)


def test_the_error_of_landmarks_is_measured_in_the_moving_space_by_name():
    grid = oblique_grid("LSA")
    chain = TransformChain((smooth_field(grid),))
    points = (grid.matrix @ [6, 7, 5, 1])[:3] + np.random.default_rng(0).uniform(-5, 5, size=(4, 3))
    there = map_points(points, chain).points_mm
    there[2] += (3.0, 4.0, 0.0)
    fixed = Landmarks(names=("a", "b", "c", "only here"), points_mm=tuple(map(tuple, points.tolist())))
    moving = Landmarks(names=("c", "b", "a"), points_mm=tuple(map(tuple, there[[2, 1, 0]].tolist())))
    found = target_registration_error(fixed, moving, chain)
    assert found.names == ("a", "b", "c")
    np.testing.assert_allclose(found.errors_mm, (0, 0, 5), atol=1e-9)
    with pytest.raises(EvaluationError, match="cannot be paired"):
        target_registration_error(fixed, Landmarks(names=("z",), points_mm=((0.0, 0.0, 0.0),)), chain)
    with pytest.raises(EvaluationError, match="twice: z"):
        target_registration_error(fixed, Landmarks(names=("z", "z"), points_mm=((0.0, 0.0, 0.0),) * 2), chain)


@pytest.fixture
def pairs(tmp_path) -> list[RegisteredPair]:
    """A ball (4) and a box (17) that were moved by a known shift, with the right, a bad, and no transform."""
    fixed_grid = oblique_grid("RAS", shape=(30, 28, 26), spacing_mm=(1.0, 1.2, 1.5))
    places = np.stack(np.meshgrid(*map(np.arange, fixed_grid.shape), indexing="ij"), axis=-1)
    fixed = np.zeros(fixed_grid.shape, dtype=np.uint8)
    fixed[np.linalg.norm(places - (10, 14, 13), axis=-1) < 5] = 4
    fixed[18:25, 9:19, 8:18] = 17
    fixed[0, 0, 0] = 99  # not asked for
    moving = np.roll(fixed, 3, axis=0)
    shift = fixed_grid.matrix[:3, 0] * 3
    for name, array in (("fixed", fixed), ("moving", moving)):
        write_volume(tmp_path / f"{name}.nii.gz", array, fixed_grid)
    centre = (fixed_grid.matrix @ [10, 14, 13, 1])[:3]
    for name, point in (("fixed", centre), ("moving", centre + shift)):
        write_landmarks(tmp_path / f"{name}.csv", Landmarks(names=("ball",), points_mm=(tuple(point.tolist()),)))
    right = np.eye(4)
    right[:3, 3] = shift
    chain = TransformChain((AffineTransform.from_matrix(right),))
    write_transform(tmp_path / "right.h5", chain)
    write_transform(tmp_path / "back.h5", chain.inverse())
    write_transform(tmp_path / "wrong.h5", AffineTransform.from_matrix(np.eye(4)))
    (tmp_path / "broken.h5").write_bytes(b"broken")

    def pair(name: str, *transform: str, **more) -> RegisteredPair:
        images = {key: tmp_path / f"{key.split('_')[0]}.nii.gz" for key in ("fixed_image", "moving_image")}
        labels = {key: tmp_path / f"{key.split('_')[0]}.nii.gz" for key in ("fixed_label", "moving_label")}
        points = {key: tmp_path / f"{key.split('_')[0]}.csv" for key in ("fixed_landmarks", "moving_landmarks")}
        transforms = tuple(tmp_path / each for each in transform)
        return RegisteredPair(name, "f", "m", **images, **labels, **points, transform=transforms, **more)

    return [
        pair("right", "right.h5", inverse=(tmp_path / "back.h5",), seconds=2.0),
        pair("wrong", "wrong.h5", seconds=4.0),
        pair("broken", "broken.h5"),
        pair("none", error="out of memory"),
    ]


LABELS = {"ball": 4, "box": 17}


def test_pairs_are_measured_by_labels_landmarks_and_transform(pairs, tmp_path):
    evaluation = evaluate_registrations(pairs, labels=LABELS, dataset="Shapes", workers=0)
    rows = {(row.case, row.label): row for row in evaluation.rows}
    before = {(row.case, row.label): row for row in evaluation.before}
    right = {pair.pair: pair for pair in evaluation.pairs}["right"].values
    for label in LABELS:
        assert rows["right", label].values["dsc"] == 1
        assert rows["right", label].values["hd95_mm"] == 0
        assert rows["wrong", label] == before["wrong", label].model_copy(update={"case": "wrong"})
        assert 0.4 < before["right", label].values["dsc"] < 0.8
        assert rows["broken", label].values["dsc"] == rows["none", label].values["dsc"] == 0
        assert rows["broken", label].values["hd95_mm"] > 50
    assert before["right", "box"].values["hd95_mm"] == pytest.approx(3, abs=0.01)
    assert right["tre_mm"] == pytest.approx(0, abs=1e-6)
    assert right["tre_before_mm"] == pytest.approx(3, abs=1e-6)
    assert right["folding_share"] == 0
    assert right["sd_log_jacobian"] == pytest.approx(0, abs=1e-6)
    assert right["inverse_consistency_mm"] == pytest.approx(0, abs=1e-6)
    failed = {pair.pair: pair.reason for pair in evaluation.pairs if pair.status == "failed"}
    assert sorted(failed) == ["broken", "none"]
    assert "cannot be read" in failed["broken"]
    assert failed["none"] == "out of memory"
    half = (before["wrong", "ball"].values["dsc"] + before["wrong", "box"].values["dsc"]) / 2
    assert evaluation.mean(measure="dsc") == pytest.approx((1 + half) / 4)
    assert evaluation.mean("pair", "tre_mm") == pytest.approx((0 + 3 + 3 + 3) / 4, abs=1e-6)
    assert evaluation.mean("pair", "seconds") == pytest.approx(3)


def test_tables_hold_what_was_measured(pairs, tmp_path):
    evaluation = evaluate_registrations(pairs, labels=LABELS, workers=2)
    folder = tmp_path / "tables"
    write_registration_tables(evaluation, folder)
    assert RegistrationEvaluation.load(folder / "evaluation.json") == evaluation
    rows = list(csv.DictReader((folder / "evaluation.csv").open()))
    assert [row["pair"] for row in rows] == ["right", "wrong", "broken", "none"]
    assert float(rows[0]["dsc"]) == 1
    assert rows[2]["folding_share"] == ""
    text = (folder / "evaluation.md").read_text()
    assert "| ball " in text
    assert "TRE, mm" in text
    assert "FAILED none: out of memory" in text
    assert "4 pairs, 2 failed" in text


def test_the_start_of_a_registration_may_be_another_than_the_files(pairs):
    start = TransformChain((AffineTransform.from_matrix(np.diag([1.0, 1.0, 1.0, 1.0])),))
    moved = np.eye(4)
    moved[:3, 3] = 400
    far = replace(pairs[0], before=TransformChain((AffineTransform.from_matrix(moved),)))
    evaluation = evaluate_registrations([far, replace(pairs[0], name="same", before=start)], labels=LABELS, workers=0)
    assert [row.values["dsc"] for row in evaluation.before][:2] == [0, 0]
    assert min(row.values["dsc"] for row in evaluation.before[2:]) > 0.4


def test_pairs_without_labels_or_landmarks_are_measured_by_their_transform(pairs):
    bare = replace(pairs[0], fixed_label=None, moving_landmarks=None)
    evaluation = evaluate_registrations([bare], labels=LABELS, workers=0)
    assert evaluation.rows == ()
    assert evaluation.summaries == ()
    assert sorted(evaluation.pair_summaries) == [
        "folding_share",
        "inverse_consistency_mm",
        "sd_log_jacobian",
        "seconds",
    ]


def test_labels_that_cannot_be_read_cost_their_pair_only(pairs):
    lost = replace(pairs[1], fixed_label=Path("nowhere.nii.gz"))
    evaluation = evaluate_registrations([pairs[0], lost], labels=LABELS, workers=0)
    assert [pair.status for pair in evaluation.pairs] == ["ok", "failed"]
    assert "FILE_MISSING" in evaluation.pairs[1].reason
    with pytest.raises(EvaluationError, match="none of 1 pairs"):
        evaluate_registrations([replace(lost, seconds=None)], labels=LABELS, workers=0)
    with pytest.raises(EvaluationError, match="told apart"):
        evaluate_registrations([lost, lost], labels=LABELS, workers=0)
