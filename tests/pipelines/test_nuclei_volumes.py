"""The story of nuclei in volumes: NIfTI files → check → plan → train → predict → evaluate, through the verbs."""

import csv
import json

import nibabel
import numpy as np
import pytest
from oblique_grid import oblique_grid
from typer.testing import CliRunner
from volume_of_nuclei import nuclei_volume

from medarch import api
from medarch.cli.app import app
from medarch.core.nuclei_settings import NucleiSettings
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

MM = 1e-3
"""Spacings are micrometres."""
SPACING_UM = (1.0, 1.0, 2.0)


def put(folder, name, seed, *, axcodes="RAS", test=False, shape=(24, 72, 80)):
    labels, image = nuclei_volume(seed, shape=shape, spacing_um=SPACING_UM[::-1], count=55)
    labels, image = labels.transpose(2, 1, 0), image.transpose(2, 1, 0)
    # A fifth of the nuclei are bright, which is their type.
    types = np.where(labels > 0, 1 + (labels % 5 == 0), 0).astype(np.uint8)
    image = np.where(types == 2, image.astype(float) * 2, image).astype(np.float32)
    grid = oblique_grid(axcodes, shape=labels.shape, spacing_mm=tuple(MM * um for um in SPACING_UM))
    for kind, array in (("images", image), ("labels", labels), ("types", types)):
        write_volume(folder / f"{kind}{'Ts' if test else ''}" / f"{name}.nii.gz", array, grid)
    return grid


def dataset(folder, **meta):
    for kind in ("images", "labels", "types", "imagesTs", "labelsTs", "typesTs"):
        (folder / kind).mkdir(parents=True)
    labels = {"background": 0, "dark": 1, "bright": 2}
    (folder / "dataset.json").write_text(json.dumps({"task": "nuclei", "dim": 3, "labels": labels, **meta}))
    return folder


def changes(path, *, epochs, steps, rate=0.005):
    path.write_text(
        "network: {options: {width: 0.125, depths: [1, 1, 1, 1]}}\nbatch_size: 2\n"
        f"training: {{epochs: {epochs}, iterations_per_epoch: {steps}, validation_iterations: 1,"
        f" learning_rate: {rate}}}\n"
    )
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    data = dataset(folder / "cells")
    for number in range(3):
        put(data, f"v{number}", number, shape=(20, 56, 56))
    # Stored in another order and turned.
    put(data, "t0", 10, axcodes="SPL", test=True, shape=(20, 56, 56))
    put(data, "t1", 11, test=True, shape=(20, 56, 56))
    small = changes(folder / "small.yaml", epochs=2, steps=6)
    plan = api.plan(data, folder / "ws", device="cpu", changes=[small], workers=0)
    result = api.train(folder / "ws" / "cells" / "auto", fold=0, device="cpu")
    return folder, plan, result


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_accepts_and_the_plan_follows_the_nuclei_and_the_spacing(trained):
    folder, plan, _ = trained
    assert invoke("check", folder / "cells").exit_code == 0
    configuration = plan.configuration()
    assert (plan.default, plan.mpp, configuration.network.dim, configuration.network.heads) == ("3d", None, 3, 3)
    recipe = configuration.preprocessing
    assert recipe.axes == (2, 1, 0)
    np.testing.assert_allclose(recipe.spacing_mm, [2 * MM, MM, MM], rtol=1e-3)
    assert configuration.network.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    np.testing.assert_allclose(configuration.separation.spacing, (2, 1, 1), rtol=1e-3)
    assert {"spacing_mm", "strides", "window", "separation", "types"} <= {reason.decision for reason in plan.reasons}


def test_training_writes_a_calibrated_model(trained):
    _, plan, result = trained
    settings = NucleiSettings.load(result.model / "nuclei.json")
    assert settings.types == ("dark", "bright")
    assert settings.preprocessing == plan.configuration().preprocessing
    # Half of what a sphere of the median nucleus measures, whose radii lie between 6 and 10 µm.
    assert 4 * MM < settings.detection_radius_mm < 10 * MM
    assert (result.folder / "separation.json").exists()
    assert set(result.evaluation.types) == {"dark", "bright"}


def test_volumes_are_predicted_on_their_own_grids_and_measured(trained):
    folder, _, result = trained
    output = folder / "found"
    dry = invoke("predict", result.model, folder / "cells", output, "--dry-run", "--json", "--device", "cpu")
    assert dry.exit_code == 0, dry.output
    assert all(row["passes"] > 0 and row["peak_bytes"] > 2**20 for row in json.loads(dry.stdout))
    assert not output.exists()
    done = invoke("predict", result.model, folder / "cells", output, "--device", "cpu")
    assert done.exit_code == 0, done.output
    for case in ("t0", "t1"):
        image = folder / "cells" / "imagesTs" / f"{case}.nii.gz"
        labels = read_volume(output / case / "labels.nii.gz")
        assert labels.geometry == read_geometry(image)[0]
        np.testing.assert_array_equal(nibabel.load(output / case / "labels.nii.gz").affine, nibabel.load(image).affine)
        numbers = np.unique(labels.array[labels.array > 0])
        with (output / case / "nuclei.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert [int(row["id"]) for row in rows] == numbers.tolist() == list(range(1, len(rows) + 1))
        summary = json.loads((output / case / "summary.json").read_text())
        assert summary["nuclei"] == len(rows) == sum(summary["classes"].values())
        for row in rows[:5]:
            places = np.argwhere(labels.array[0] == int(row["id"]))
            centre = places.mean(axis=0)
            np.testing.assert_allclose([float(row[axis]) for axis in "ijk"], centre, atol=1e-6)
            world = nibabel.affines.apply_affine(nibabel.load(image).affine, centre)
            np.testing.assert_allclose([float(row[f"{axis}_mm"]) for axis in "xyz"], world, atol=1e-6)
            assert float(row["volume_um3"]) == pytest.approx(2 * len(places), rel=1e-3)
            assert float(row["p_dark"]) + float(row["p_bright"]) == pytest.approx(1, abs=1e-5)
    measured = invoke("evaluate", output, folder / "cells", "--json")
    assert measured.exit_code == 0, measured.output
    evaluation = json.loads(measured.stdout)
    assert [row["case"] for row in evaluation["rows"]] == ["t0", "t1"]
    assert all(set(row["values"]) == {"pq", "dq", "sq", "aji", "aji_plus", "dice"} for row in evaluation["rows"])
    assert evaluation["detection_radius_mm"] is not None
    home = folder / "ws" / "cells" / "auto"
    assert api.report(home).read_text().count("across 0, reference</figcaption>") == 1
    page = api.report(home, predictions=output, target=folder / "test.html").read_text()
    assert [page.count(f"across {axis}, found</figcaption>") for axis in "kji"] == [2, 2, 2]
    assert "Not shown" not in page
    plain = api.evaluate(output, folder / "cells" / "labelsTs")
    assert [row.values["pq"] for row in plain.rows] == [row["values"]["pq"] for row in evaluation["rows"]]


def test_the_same_command_goes_on_and_a_bad_volume_costs_only_itself(trained, tmp_path):
    folder, _, result = trained
    source = tmp_path / "source"
    source.mkdir()
    good = folder / "cells" / "imagesTs" / "t1.nii.gz"
    (source / "good.nii.gz").write_bytes(good.read_bytes())
    (source / "cut.nii.gz").write_bytes(good.read_bytes()[:5000])
    flat = nibabel.Nifti1Image(np.random.default_rng(0).random((40, 40, 1), np.float32), np.diag([1e-3, 1e-3, 1e-3, 1]))
    nibabel.save(flat, source / "flat.nii.gz")
    answer = invoke("predict", result.model, source, tmp_path / "out", "--device", "cpu")
    assert answer.exit_code == 1
    assert "1 done, 0 done before, 2 failed" in answer.output
    first = (tmp_path / "out" / "good" / "labels.nii.gz").read_bytes()
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert "no volume" in next(row["error"] for row in record["cases"] if row["case"] == "flat")
    for name in ("cut", "flat"):
        (source / f"{name}.nii.gz").unlink()
    again = invoke("predict", result.model, source, tmp_path / "out", "--device", "cpu")
    assert "0 done, 1 done before, 0 failed" in again.output
    anew = invoke("predict", result.model, source, tmp_path / "out", "--device", "cpu", "--restart")
    assert anew.exit_code == 0
    assert (tmp_path / "out" / "good" / "labels.nii.gz").read_bytes() == first
    refused = invoke("predict", result.model, source, tmp_path / "out", "--mpp", "0.5")
    assert refused.exit_code == 2
    assert "mpp" in refused.output


def test_bad_datasets_are_told(tmp_path):
    def told(folder):
        answer = invoke("check", folder, "--json")
        return answer.exit_code, answer.output

    data = dataset(tmp_path / "flat")
    put(data, "v0", 0, shape=(16, 40, 40))
    flat = nibabel.Nifti1Image(np.random.default_rng(0).random((40, 40, 1), np.float32), np.diag([1e-3, 1e-3, 1e-3, 1]))
    nibabel.save(flat, data / "images" / "v1.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((40, 40, 1), np.uint8), flat.affine), data / "labels" / "v1.nii.gz")
    code, output = told(data)
    assert code != 0
    assert "UNSUPPORTED_DIMS" in output

    data = dataset(tmp_path / "float")
    grid = put(data, "v0", 0, shape=(16, 40, 40))
    write_volume(data / "labels" / "v0.nii.gz", np.full(grid.shape, 0.5, np.float32), grid)
    assert "LABEL_NOT_INTEGER" in told(data)[1]
    assert invoke("plan", data, tmp_path / "ws", "--device", "cpu").exit_code == 2

    data = dataset(tmp_path / "unstated")
    put(data, "v0", 0, shape=(16, 40, 40))
    image = nibabel.load(data / "images" / "v0.nii.gz")
    header = image.header.copy()
    header.set_sform(None, code=0)
    header.set_qform(None, code=0)
    header["pixdim"][1:4] = 0
    bare = bytearray(header.binaryblock)
    voxels = np.asarray(image.dataobj).tobytes(order="F")
    (data / "images" / "v0.nii.gz").unlink()
    (data / "images" / "v0.nii").write_bytes(bytes(bare) + bytes(4) + voxels)
    code, output = told(data)
    assert code != 0
    assert "BAD_AFFINE" in output

    data = dataset(tmp_path / "pictures")
    (data / "images" / "stack.tif").write_bytes(b"II*\0")
    answer = invoke("check", data)
    assert answer.exit_code == 2
    assert "saved as NIfTI" in answer.output

    data = dataset(tmp_path / "both", mpp=0.5)
    assert "headers" in invoke("check", data).output

    data = dataset(tmp_path / "types")
    grid = put(data, "v0", 0, shape=(16, 40, 40))
    write_volume(data / "types" / "v0.nii.gz", np.full(grid.shape, 7, np.uint8), grid)
    assert "LABEL_UNDECLARED" in told(data)[1]


@pytest.mark.slow
def test_three_minutes_of_training_find_nuclei_in_volumes_never_seen(tmp_path):
    data = dataset(tmp_path / "cells")
    for number in range(4):
        put(data, f"v{number}", number)
    for number in range(2):
        put(data, f"t{number}", 20 + number, test=True, axcodes=("LPS", "RAS")[number])
    small = changes(tmp_path / "small.yaml", epochs=6, steps=40)
    api.plan(data, tmp_path / "ws", device="cpu", changes=[small], workers=0)
    result = api.train(tmp_path / "ws" / "cells" / "auto", fold=0, device="cpu")
    api.predict(result.model, data, tmp_path / "found", device="cpu")
    evaluation = api.evaluate(tmp_path / "found", data)
    assert evaluation.mean() >= 0.7  # measured: 0.86, with other constants 0.81
    assert evaluation.detection_f >= 0.85  # measured: 0.97, with other constants 0.94
