"""The registration story end to end, by the commands a user types: ellipsoids of one kind, no two alike."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.core.geometry import Geometry
from medarch.core.prediction import Prediction
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume
from medarch.tasks.registration.local_ncc import local_ncc

SHAPE = (24, 28, 20)
CHANGES = """
network: {options: {squarings: 4}}
training: {epochs: 4, iterations_per_epoch: 45, patience_epochs: null, learning_rate: 0.003}
registration: {smoothness_weight: 1.0}
"""


def ellipsoid(rng):
    """A bright shell around a darker core, at a place and of a size of its own."""
    grid = np.indices(SHAPE)
    centre = np.array(SHAPE) / 2 + rng.uniform(-2, 2, 3)
    radius = np.array([6.5, 8, 5.5]) * rng.uniform(0.8, 1.2, 3)
    distance = np.sqrt((((grid - centre.reshape(3, 1, 1, 1)) / radius.reshape(3, 1, 1, 1)) ** 2).sum(0))
    label = ((distance < 1) + (distance < 0.6)).astype(np.uint8)
    image = 100 / (1 + np.exp(8 * (distance - 1))) - 60 / (1 + np.exp(8 * (distance - 0.6)))
    return (image + rng.normal(0, 2, SHAPE)).astype(np.float32), label


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "Shells"
    rng = np.random.default_rng(0)
    for number in range(18):
        part = "Ts" if number >= 14 else "Tr"
        affine = np.diag([1.0, 1.0, 1.0, 1.0])
        affine[:3, 3] = rng.uniform(-50, 50, 3)  # the world says nothing
        geometry = Geometry.from_array(SHAPE, affine)
        image, label = ellipsoid(rng)
        for what, array, name in (("images", image, f"s{number:02d}_0000"), ("labels", label, f"s{number:02d}")):
            (folder / f"{what}{part}").mkdir(parents=True, exist_ok=True)
            write_volume(folder / f"{what}{part}/{name}.nii.gz", array, geometry)
    meta = {"channel_names": {"0": "MR"}, "labels": {"background": 0, "shell": 1, "core": 2}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(meta))
    return folder


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    changes = root / "changes.yaml"
    changes.write_text(CHANGES)
    run("check", dataset, "-j", 0)
    run("plan", dataset, "--task", "registration", "-w", root, "--with", changes, "--device", "cpu", "-j", 0)
    folder = root / "Shells_registration" / "auto"
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["configurations"]["3d"]["registration"]["alignment"] == "centres"
    said = json.loads(run("train", folder, "--device", "cpu", "-j", 0, "--json").splitlines()[-1])
    assert said["validation_dsc"] > 0.8
    run("report", folder)
    page = (folder.parent / "report.html").read_text()
    assert "core" in page
    assert "alignment" in page
    return folder


def test_test_pairs_are_registered_measured_and_applied_by_itk(dataset, trained, tmp_path):
    out = tmp_path / "out"
    run("predict", trained, dataset, out, "--device", "cpu")
    prediction = Prediction.load(out / "predictions.json")
    assert len(prediction.cases) == 12
    run("evaluate", out, dataset, "-j", 0)
    found = RegistrationEvaluation.load(out / "evaluation.json")
    before = next(summary for summary in found.summaries_before if summary.label == "foreground").measures["dsc"].mean
    assert found.mean() > before + 0.1
    assert found.mean("pair", "folding_share") == 0
    assert (out / "evaluation.md").exists()

    row = prediction.cases[0]
    moving = sitk.ReadImage(str(row.pair.moving.images[0]), sitk.sitkFloat64)
    fixed = sitk.ReadImage(str(row.pair.fixed.images[0]))
    transform = sitk.DisplacementFieldTransform(sitk.ReadImage(str(row.field), sitk.sitkVectorFloat64))
    theirs = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform, sitk.sitkLinear))
    np.testing.assert_allclose(sitk.GetArrayFromImage(sitk.ReadImage(str(row.output))), theirs, atol=0.05)


def test_optimising_a_pair_makes_its_images_more_alike(dataset, trained, tmp_path):
    first, second = (dataset / f"imagesTs/s{number}_0000.nii.gz" for number in (14, 17))
    table = tmp_path / "pairs.csv"
    table.write_text(f"fixed,moving\n{first},{second}\n")
    alike = []
    for name, options in (("plain", []), ("optimised", ["--optimise"])):
        run("predict", trained, table, tmp_path / name, "--device", "cpu", *options)
        (row,) = Prediction.load(tmp_path / name / "predictions.json").cases
        images = [torch.from_numpy(read_volume(path).array.astype(np.float32))[None] for path in (first, row.output)]
        alike.append(1 - local_ncc(*images, window=5).item())
    assert alike[1] > alike[0]
    run("predict", trained, table, tmp_path / "plain", "--device", "cpu", "--optimise", code=2)  # made otherwise


def test_the_way_back_is_that_of_warp_and_leads_home(dataset, trained, tmp_path):
    first, second = (dataset / f"imagesTs/s{number}_0000.nii.gz" for number in (14, 16))
    table = tmp_path / "pairs.csv"
    table.write_text(f"fixed,moving\n{first},{second}\n")
    out = tmp_path / "out"
    run("predict", trained, table, out, "--device", "cpu", "--inverse")
    (row,) = Prediction.load(out / "predictions.json").cases
    assert row.inverse.parent.name == "inverse"
    grid = read_volume(second).geometry
    assert not grid.differences(read_geometry(row.inverse)[0])
    # The fixed image on the moving grid, through the written field and as `medarch warp --inverse` solves it.
    warped = {}
    for name, options in (("ours", ["-t", row.inverse]), ("warp", ["-t", row.field, "--inverse"])):
        run("warp", first, tmp_path / f"{name}.nii.gz", "-r", second, *options)
        warped[name] = read_volume(tmp_path / f"{name}.nii.gz").array
    np.testing.assert_allclose(warped["ours"], warped["warp"], atol=0.02)
    run("evaluate", out, dataset, "-j", 0)
    found = RegistrationEvaluation.load(out / "evaluation.json")
    assert found.mean("pair", "inverse_consistency_mm") < 0.05


def test_a_second_run_goes_on_and_a_bad_pair_costs_only_itself(dataset, trained, tmp_path):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    first, second = (dataset / f"imagesTs/s{number}_0000.nii.gz" for number in (14, 15))
    table = tmp_path / "pairs.csv"
    flat = tmp_path / "flat.nii.gz"
    write_volume(flat, np.random.default_rng(0).normal(size=(24, 28, 1)).astype(np.float32),
                 Geometry.from_array((24, 28, 1), np.eye(4)))  # fmt: skip
    table.write_text(f"fixed,moving\n{first},{second}\n{first},{broken}\n{first},{flat}\n")
    run("predict", trained, table, tmp_path / "out", "--device", "cpu", code=1)
    record = Prediction.load(tmp_path / "out/predictions.json")
    assert [row.status for row in record.cases] == ["done", "failed", "failed"]
    assert "broken" in record.cases[1].error
    assert "dimension" in record.cases[2].error
    assert record.cases[0].labels is None
    run("predict", trained, table, tmp_path / "out", "--device", "cpu", code=1)
    assert Prediction.load(tmp_path / "out/predictions.json").cases[0].status == "skipped"


def test_slices_without_labels_are_trained_on_listed_pairs_and_judged_by_the_field(tmp_path):
    rng = np.random.default_rng(1)
    folder = tmp_path / "Slices"
    (folder / "imagesTr").mkdir(parents=True)
    grid = Geometry.from_array((40, 32, 1), np.eye(4))
    for number in range(8):
        image = ellipsoid(rng)[0][:, :, 10:11]
        write_volume(folder / f"imagesTr/s{number}_0000.nii.gz", np.pad(image, ((8, 8), (2, 2), (0, 0))), grid)
    (folder / "dataset.json").write_text(json.dumps({"task": "registration", "channel_names": {"0": "MR"}}))
    pairs = [f"s{2 * number},s{2 * number + 1}" for number in range(4)]
    (folder / "pairs.csv").write_text("\n".join(["fixed,moving", *pairs]) + "\n")
    (folder / "landmarksTr").mkdir()
    for number in range(8):
        points = f"a,20,{15 + number % 2},0\nb,14,20,0\n"
        (folder / f"landmarksTr/s{number}.csv").write_text("# CoordinateSystem = RAS\nlabel,x,y,z\n" + points)
    changes = tmp_path / "changes.yaml"
    changes.write_text("training: {epochs: 2, iterations_per_epoch: 3, patience_epochs: null}\n")
    run("check", folder, "-j", 0)
    run("plan", folder, "-w", tmp_path, "--with", changes, "--device", "cpu", "-j", 0)
    plan = tmp_path / "Slices/auto"
    said = json.loads(run("train", plan, "--device", "cpu", "-j", 0, "--json").splitlines()[-1])
    assert said["validation_dsc"] is None
    assert json.loads((plan / "plan.json").read_text())["configurations"]["2d"]["registration"]["landmark_weight"] > 0
    found = RegistrationEvaluation.load(plan / "2d/fold_0/validation/evaluation.json")
    assert len(found.pairs) == 1
    assert found.mean("pair", "folding_share") == 0
    assert found.mean("pair", "tre_before_mm") == pytest.approx(0.5)
    run("train", plan, "--device", "cpu", "-j", 0, "--no-validate")
    moved = folder / "landmarksTr/s3.csv"
    moved.write_text(moved.read_text().replace("b,14", "b,13"))
    assert "other images, labels or landmarks" in run("train", plan, "--device", "cpu", "-j", 0, code=2)
    table = tmp_path / "todo.csv"
    table.write_text("fixed,moving\nSlices/imagesTr/s0_0000.nii.gz,Slices/imagesTr/s3_0000.nii.gz\n")
    run("predict", plan, table, tmp_path / "out", "--device", "cpu", "--optimise")
    (row,) = Prediction.load(tmp_path / "out/predictions.json").cases
    assert read_volume(row.output).geometry.shape == (40, 32, 1)
