"""The story of nuclei: a folder of images → plan → train → predict → evaluate, through the verbs."""

import html
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.fingerprint import Fingerprint
from medarch.core.load_evaluation import load_evaluation
from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import Plan
from medarch.core.separation import Separation

LABELS = {"background": 0, "round": 1, "long": 2, "ignore": 3}


def tile(seed, size=(120, 128)):
    """Dark discs and darker ellipses on pink; some of them nobody has classified."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    instances, types = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
    image = np.empty((*size, 3))
    image[:] = (225, 190, 215)
    for number in range(1, 22):
        y, x = generator.uniform(0, size[0]), generator.uniform(0, size[1])
        kind = int(generator.integers(1, 3))
        a, b = (8, 8) if kind == 1 else (5, 12)
        mask = (((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1) & (instances == 0)
        instances[mask], types[mask] = number, kind if number % 10 else 3
        image[mask] = (120, 70, 150) if kind == 1 else (60, 40, 110)
    image += generator.normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8), instances, types


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nuclei")
    for name in ("images", "labels", "imagesTs", "labelsTs"):
        (folder / "tiles" / name).mkdir(parents=True)
    for number in range(8):
        image, instances, types = tile(number)
        where = "" if number < 6 else "Ts"
        Image.fromarray(image).save(folder / "tiles" / f"images{where}" / f"tile{number}.png")
        np.savez(folder / "tiles" / f"labels{where}" / f"tile{number}.npz", inst_map=instances, type_map=types)
    meta = {"task": "nuclei", "mpp": 0.25, "labels": LABELS}
    (folder / "tiles" / "dataset.json").write_text(json.dumps(meta))
    changes = folder / "small.yaml"
    changes.write_text(
        "network: {options: {width: 0.125, depths: [1, 1, 1, 1]}}\n"
        "patch_voxels: [136, 136]\nbatch_size: 2\n"
        "training: {epochs: 4, iterations_per_epoch: 15, validation_iterations: 2, learning_rate: 0.005}\n"
    )
    plan = api.plan(folder / "tiles", folder / "ws", device="cpu", changes=[changes], workers=0)
    result = api.train(folder / "ws" / "tiles" / "auto", fold=0, device="cpu")
    return folder, plan, result


def test_the_plan_says_why(trained):
    folder, plan, _ = trained
    fingerprint = Fingerprint.load(folder / "ws" / "tiles" / "fingerprint.json").nuclei
    assert 90 < fingerprint.nuclei <= 6 * 21
    assert 12 < fingerprint.diameter_pixels[1] < 18
    assert set(fingerprint.type_counts) == {"round", "long"}
    assert 0.1 < fingerprint.touching_share < 1
    configuration = plan.configuration()
    assert (plan.task, plan.mpp, configuration.network.heads) == ("nuclei", 0.25, 3)
    assert {"mpp", "types", "window", "separation", "network", "batch", "schedule"} <= {
        reason.decision for reason in plan.reasons
    }
    assert Plan.parse(plan.to_json()) == plan


def test_training_writes_a_calibrated_model_and_learns(trained):
    _, _plan, result = trained
    settings = NucleiSettings.load(result.model / "nuclei.json")
    assert (settings.types, settings.mpp, settings.window_pixels) == (("round", "long"), 0.25, 256)
    assert (result.folder / "separation.json").exists()
    assert load_evaluation(result.folder / "validation" / "evaluation.json") == result.evaluation
    [summary] = result.evaluation.summaries
    assert summary.measures["dice"].mean > 0.8
    assert summary.measures["pq"].mean > 0.4
    assert set(result.evaluation.types) == {"round", "long"}


def test_a_finished_fold_is_not_trained_again(trained):
    folder, _, result = trained
    before = (result.folder / "weights.safetensors").stat().st_mtime_ns
    again = api.train(folder / "ws" / "tiles" / "auto", fold=0, device="cpu")
    assert (result.folder / "weights.safetensors").stat().st_mtime_ns == before
    assert again.evaluation == result.evaluation


def test_test_images_are_predicted_and_measured(trained):
    folder, _, result = trained
    output = folder / "predicted"
    arguments = [str(result.model), str(folder / "tiles" / "imagesTs"), str(output), "--mpp", "0.25", "--everywhere"]
    predicted = CliRunner().invoke(app, ["predict", *arguments])
    assert predicted.exit_code == 0, predicted.output
    measured = CliRunner().invoke(app, ["evaluate", str(output), str(folder / "tiles"), "--json"])
    assert measured.exit_code == 0, measured.output
    evaluation = json.loads(measured.stdout)
    assert [row["case"] for row in evaluation["rows"]] == ["tile6", "tile7"]
    assert all(row["values"]["pq"] > 0.3 for row in evaluation["rows"])
    assert all(row["f"] is not None for row in evaluation["types"].values())
    assert evaluation["detection_f"] > 0.6
    plain = api.evaluate(output, folder / "tiles" / "labelsTs")
    assert [row.values["pq"] for row in plain.rows] == [row["values"]["pq"] for row in evaluation["rows"]]
    assert "mPQ+" in (output / "evaluation.md").read_text()


def test_references_are_brought_to_the_resolution_of_the_model(trained):
    """Twice as coarse as the images: the reference is measured as the network saw it, one of another size refused."""
    folder, _, result = trained
    model = shutil.copytree(result.model, folder / "coarse_model")
    settings = NucleiSettings.load(model / "nuclei.json")
    settings.model_copy(update={"mpp": 0.5}).save(model / "nuclei.json")
    output = folder / "coarse"
    api.predict(model, folder / "tiles" / "imagesTs", output, mpp=0.25, tissue=False)
    references = folder / "references"
    shutil.copytree(folder / "tiles" / "labelsTs", references)
    first, other = sorted(references.iterdir())
    truth = np.load(first)["inst_map"]
    np.savez(other, inst_map=np.load(other)["inst_map"][1:])
    fits, differs = api.evaluate(output, references).rows
    assert fits.status == "ok"
    rows, columns = (np.arange(0, side, 2) + 1 for side in truth.shape)
    assert fits.reference_nuclei == len(np.unique(truth[np.ix_(rows, columns)])) - 1
    assert differs.status == "failed"
    assert "differ in size" in differs.reason


def test_the_report_shows_the_validation_or_predictions(trained):
    folder, plan, result = trained
    home = folder / "ws" / "tiles" / "auto"
    answer = CliRunner().invoke(app, ["report", str(home), "--json"])
    assert answer.exit_code == 0, answer.output
    page = Path(json.loads(answer.stdout)["report"]).read_text()
    [summary] = result.evaluation.summaries
    assert f"{summary.measures['pq'].mean:.3f}" in page
    for row in result.evaluation.rows:
        assert page.count(f">{row.case}<") >= 1
        assert f"{row.case}, reference" in page
    calibrated = Separation.load(result.folder / "separation.json")
    assert f"{calibrated.slope_threshold:g}" in page
    assert all(name in page for name in ("round", "long", "Smallest core", "too good", "F_c"))
    assert all(html.escape(reason.because) in page for reason in plan.reasons)
    assert "Not in this report" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    output = folder / "of_the_test"
    api.predict(result.model, folder / "tiles" / "imagesTs", output, mpp=0.25, tissue=False)
    measured = api.evaluate(output, folder / "tiles")
    page = api.report(home, predictions=output, target=folder / "test.html").read_text()
    assert f"{measured.summaries[0].measures['pq'].mean:.3f}" in page
    assert page.count("<figcaption>found</figcaption>") == 2
    assert "too good" not in page


def test_references_of_other_images_are_told(trained, tmp_path):
    folder, _, _result = trained
    np.save(tmp_path / "other.npy", tile(0)[1])
    answer = CliRunner().invoke(app, ["evaluate", str(folder / "predicted"), str(tmp_path)])
    assert answer.exit_code == 2
    assert "no predicted image has a reference" in answer.output
