"""``medarch register``: two grids, every file it writes, applied by SimpleITK; what it refuses."""

import json

import numpy as np
import pytest
import SimpleITK
from oblique_grid import oblique_grid
from small_pair import on_grid, textured
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.core.geometry import Geometry
from medarch.core.landmarks import Landmarks
from medarch.io.read_volume import read_volume
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.write_volume import write_volume

MOVING_GRID = oblique_grid("LAS", shape=(30, 34, 24), spacing_mm=(1.4, 1.2, 2.0))
FIXED_GRID = oblique_grid("PSR", shape=(26, 28, 30), spacing_mm=(1.7, 1.5, 1.6), degrees=-9.0)


def run(*arguments):
    return CliRunner().invoke(app, ["register", *map(str, arguments)])


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A volume turned by 8 degrees and moved by 4 mm, with labels and landmarks; the folder, and what was printed."""
    folder = tmp_path_factory.mktemp("register")
    centre = np.array([-21.5, 33.25, 7.75])
    truth = np.eye(4)
    angle = np.radians(8)
    truth[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    truth[:3, 3] = centre + np.array([4.0, -2.0, 1.0]) - truth[:3, :3] @ centre
    moving = textured(MOVING_GRID.shape)
    fixed = on_grid(moving, MOVING_GRID, truth, FIXED_GRID)
    for name, array, grid in (("fixed", fixed, FIXED_GRID), ("moving", moving, MOVING_GRID)):
        write_volume(folder / f"{name}.nii.gz", array, grid)
        write_volume(folder / f"{name}_labels.nii.gz", (array > 0.5).astype(np.uint8) + (array > 1.1), grid)
    points = centre + np.array([[0, 0, 0], [9, 0, 0], [0, -8, 5]])
    names = ("a", "b", "c")
    for name, places in (("fixed", points), ("moving", points @ truth[:3, :3].T + truth[:3, 3])):
        landmarks = Landmarks(names=names, points_mm=((0.0, 0.0, 0.0),) * 3).moved(places)
        write_landmarks(folder / f"{name}.csv", landmarks)
    result = run(
        folder / "fixed.nii.gz", folder / "moving.nii.gz", folder / "out", "--iterations", "20,20,10",
        "--labels", folder / "fixed_labels.nii.gz", folder / "moving_labels.nii.gz",
        "--landmarks", folder / "fixed.csv", folder / "moving.csv", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder, json.loads(result.stdout.splitlines()[-1])


def resampled(folder, transform, *, moving="moving.nii.gz", fixed="fixed.nii.gz"):
    images = [SimpleITK.ReadImage(str(folder / name), SimpleITK.sitkFloat64) for name in (moving, fixed)]
    array = SimpleITK.GetArrayFromImage(SimpleITK.Resample(*images, transform, SimpleITK.sitkLinear, 0.0))
    return array.transpose(2, 1, 0)


def test_simpleitk_makes_the_same_image_of_the_transform_and_of_the_field(registered):
    folder, _ = registered
    ours = read_volume(folder / "out/warped.nii.gz").array[0]
    by_transform = resampled(folder, SimpleITK.ReadTransform(str(folder / "out/transform.h5")))
    inside = by_transform > 0.05
    assert inside.mean() > 0.2
    assert np.abs(ours - by_transform).max() < 1e-3
    field = SimpleITK.ReadImage(str(folder / "out/displacement.nii.gz"), SimpleITK.sitkVectorFloat64)
    by_field = resampled(folder, SimpleITK.DisplacementFieldTransform(field))
    assert np.abs(by_field - ours)[1:-1, 1:-1, 1:-1].max() < 1e-3


def test_results_lie_on_the_fixed_grid_and_the_inverse_leads_back(registered):
    folder, _ = registered
    for name in ("warped.nii.gz", "warped_labels.nii.gz", "displacement.nii.gz"):
        assert FIXED_GRID.differences(read_volume(folder / "out" / name).geometry) == []
    forward, inverse = (SimpleITK.ReadTransform(str(folder / f"out/{name}.h5")) for name in ("transform", "inverse"))
    for point in ((21.5, -33.25, 7.75), (26.0, -30.0, 12.0)):  # LPS
        there_and_back = inverse.TransformPoint(forward.TransformPoint(point))
        assert np.linalg.norm(np.subtract(there_and_back, point)) < 0.1


def test_labels_and_landmarks_tell_how_good_it_is(registered):
    folder, report = registered
    assert [row["label"] for row in report["rows"]] == ["1", "2"]
    assert report["rows"][0]["values"]["dsc"] > 0.88 > report["before"][0]["values"]["dsc"]
    values = report["measures"]["values"]
    assert values["tre_mm"] < 0.5 < 4.0 < values["tre_before_mm"]
    assert values["folding_share"] == 0
    assert values["inverse_consistency_mm"] < 0.1
    assert json.loads((folder / "out/registration.json").read_text()) == report
    assert (folder / "out/registration.png").read_bytes().startswith(b"\x89PNG")


def test_a_transform_is_a_start_and_no_iterations_return_it(registered, tmp_path):
    folder, _ = registered
    result = run(
        folder / "fixed.nii.gz", folder / "moving.nii.gz", tmp_path, "--start-from", folder / "out/transform.h5",
        "--iterations", "0,0,0",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "folds 0.0000%" in result.stdout
    again, before = (read_volume(path / "warped.nii.gz").array for path in (tmp_path, folder / "out"))
    assert np.abs(again - before)[:, 1:-1, 1:-1, 1:-1].max() < 1e-2


def test_an_affine_transform_alone_is_written_too(registered, tmp_path):
    folder, _ = registered
    result = run(folder / "fixed.nii.gz", folder / "moving.nii.gz", tmp_path, "--linear", "rigid", "--no-deformable")
    assert result.exit_code == 0, result.output
    by_transform = resampled(folder, SimpleITK.ReadTransform(str(tmp_path / "transform.h5")))
    assert np.abs(read_volume(tmp_path / "warped.nii.gz").array[0] - by_transform).max() < 1e-3


def test_what_does_not_fit_is_one_clear_error_and_writes_nothing(registered, tmp_path):
    folder, _ = registered
    fixed, moving, out = folder / "fixed.nii.gz", folder / "moving.nii.gz", tmp_path / "out"
    far = Geometry.from_array(MOVING_GRID.shape, MOVING_GRID.matrix + np.array([[0, 0, 0, 900.0]] + [[0.0] * 4] * 3))
    write_volume(tmp_path / "far.nii.gz", textured(MOVING_GRID.shape), far)
    write_volume(tmp_path / "empty.nii.gz", np.zeros(MOVING_GRID.shape, np.float32), MOVING_GRID)
    for arguments, words in (
        ((fixed, tmp_path / "far.nii.gz", out), "do not overlap"),
        ((fixed, tmp_path / "empty.nii.gz", out), "is empty"),
        ((fixed, tmp_path / "none.nii.gz", out), "none.nii.gz"),
        ((fixed, moving, out, "--similarity", "ssim"), "similarity does not fit"),
        ((fixed, moving, out, "--iterations", "40,x,40"), "--iterations does not fit"),
        ((fixed, moving, out, "--iterations", "40,40"), "--iterations does not fit"),
        ((fixed, moving, out, "--fixed-mask", folder / "moving_labels.nii.gz"), "another grid"),
        ((fixed, moving, out, "--labels", folder / "moving_labels.nii.gz", folder / "moving.nii.gz"), "another grid"),
        ((fixed, moving, out, "--labels", fixed, moving), "no label map"),
    ):
        for dry in ((), ("--dry-run",)):
            result = run(*arguments, *dry)
            assert result.exit_code == 2, result.output
            assert words in result.output
            assert not out.exists()


def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(registered, tmp_path):
    folder, report = registered
    pair = (folder / "fixed.nii.gz", folder / "moving.nii.gz", tmp_path / "out", "--iterations", "20,20,10")
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    result = run(*pair, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["similarity"], found["because"]) == (report["similarity"], report["because"])
    assert (found["fixed"]["size"], found["moving"]["size"]) == ([26, 28, 30], [30, 34, 24])
    assert found["fixed"]["spacing_mm"] == pytest.approx([1.7, 1.5, 1.6])
    assert 0.5 < found["overlap_aligned"] != found["overlap"] < 1
    assert [level["iterations"] for level in found["levels"]] == [20, 20, 10]
    assert found["levels"][2]["size"] == [26, 28, 30]
    assert found["seconds"] > sum(level["seconds"] for level in found["levels"]) > 0
    assert not (tmp_path / "out").exists()
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
    fewer = json.loads(run(*pair[:3], "--iterations", "2,0,1", "--dry-run", "--json").stdout.splitlines()[-1])
    assert [level["iterations"] for level in fewer["levels"]] == [2, 0, 1]
    assert fewer["levels"][1]["seconds"] == 0 < fewer["levels"][2]["seconds"] < found["levels"][2]["seconds"]
    printed = run(*pair, "--linear", "none", "--no-deformable", "--similarity", "mse", "--dry-run").stdout
    assert "fixed 26×28×30 of 1.7×1.5×1.6 mm; moving 30×34×24 of 1.4×1.2×2 mm" in printed
    assert "compared by mse" in printed
    assert "deformation" not in printed
    assert "nothing was written" in printed
