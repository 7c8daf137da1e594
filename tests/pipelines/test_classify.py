"""The classification story end to end, by the commands a user types, on shapes that can be told apart."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.geometry import Geometry
from medarch.io.write_volume import write_volume

NAMES = ("ball", "box")
SIDE = 20
CHANGES = """
network:
  options: {depths: [1, 1, 1, 1], width: 0.125}
training: {epochs: 5, iterations_per_epoch: 12, patience_epochs: null, augmentation: {preset: light}}
"""


def shape(name, rng):
    """A bright ball or box somewhere in noise, of one volume, so that the shape alone tells."""
    grid = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"))
    offset = np.abs(grid - rng.uniform(8, 12, 3)[:, None, None, None])
    radius = rng.uniform(4, 5)
    inside = (offset**2).sum(0) < radius**2 if name == "ball" else offset.max(0) < 0.806 * radius
    return (100 * inside + rng.normal(0, 8, inside.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "Shapes"
    rows, rng = [], np.random.default_rng(0)
    geometry = Geometry.from_array((SIDE,) * 3, np.eye(4))
    (folder / "images").mkdir(parents=True)
    for number in range(56):
        name = NAMES[number % 7 < 2]  # fewer boxes
        part = "test" if number >= 42 else "train"
        rows.append(f"s{number:02d},{name},{part},p{number // 2}")
        write_volume(folder / "images" / f"s{number:02d}.nii.gz", shape(name, rng), geometry)
    (folder / "labels.csv").write_text("\n".join(["case,label,split,patient", *rows]) + "\n")
    (folder / "dataset.json").write_text(json.dumps({"task": "classification", "channel_names": {"0": "MR"}}))
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
    run("plan", dataset, "-w", root, "--with", changes, "--device", "cpu", "-j", 0)
    folder = root / "Shapes" / "auto"
    said = json.loads(run("train", folder, "--device", "cpu", "-j", 0, "--json").splitlines()[-1])
    assert said["validation_auroc"] > 0.9
    return folder


def test_folds_are_stratified_and_keep_patients_together(trained):
    home = api.PlanFolder.load(trained)
    for fold in range(5):
        split = home.split(fold)
        sides = [{home.dataset.case(case).patient for case in side} for side in (split.train, split.val)]
        assert not sides[0] & sides[1]
        boxes = sum(home.dataset.case(case).classes == ("box",) for case in split.val)
        assert 1 <= boxes <= 4


def test_the_test_cases_are_predicted_measured_and_reported(dataset, trained, tmp_path):
    out = tmp_path / "out"
    run("predict", trained, dataset, out, "--device", "cpu")
    with (out / "predictions.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 14
    text = run("evaluate", out, dataset)
    assert "| AUROC" in text
    assert "balanced accuracy" in text
    found = ClassificationEvaluation.load(out / "evaluation.json")
    assert found.mean() > 0.9
    assert found.patients == 7
    assert len(found.rows) == 14
    same = api.evaluate(out, dataset / "labels.csv", output=tmp_path)
    assert same.summaries == found.summaries
    page = tmp_path / "report.html"
    run("report", trained, "--predictions", out, "-o", page)
    html = page.read_text()
    for title in ("Confusion matrix", "Precision and recall", "Reliability", "Where the network looked", "Worst 1"):
        assert title in html
    assert 'src="http' not in html


def test_the_model_card_states_the_area_under_the_curve(trained):
    model = trained / "3d" / "model"
    card = (model / "MODEL_CARD.md").read_text()
    assert "classification of ball, box" in card
    assert "AUROC (95 % interval)" in card
    assert "overall" in json.loads((model / "metrics.json").read_text())["fold_0"]


def test_training_goes_on_and_a_finished_fold_is_left_alone(trained):
    weights = trained / "3d" / "fold_0" / "weights.safetensors"
    before = weights.read_bytes(), weights.stat().st_mtime_ns
    run("train", trained, "--device", "cpu", "-j", 0, "--no-validate")
    assert (weights.read_bytes(), weights.stat().st_mtime_ns) == before


def test_training_stopped_between_epochs_ends_with_the_same_weights(trained, tmp_path):
    """As after a kill: the second process knows only what the first one left on disk."""
    home = api.PlanFolder.load(trained)
    short = home.plan.configuration()
    training = short.training.model_copy(update={"epochs": 2, "iterations_per_epoch": 2})
    short = short.model_copy(update={"training": training})
    for name in ("steady", "stopped"):
        plan = home.plan.model_copy(update={"name": name, "configurations": {"3d": short}})
        plan.save(trained.parent / name / "plan.json")
    steady = api.train(trained.parent / "steady", device="cpu", validate=False, workers=0)
    stopped = trained.parent / "stopped"
    with pytest.raises(KilledError):
        _stop_after_one_epoch(lambda: api.train(stopped, device="cpu", validate=False, workers=0))
    assert not (stopped / "3d" / "fold_0" / "weights.safetensors").exists()
    again = api.train(stopped, device="cpu", validate=False, workers=0)
    weights = [(made.folder / "weights.safetensors").read_bytes() for made in (steady, again)]
    assert weights[0] == weights[1]


class KilledError(Exception):
    """Stands for the end of a process."""


def _stop_after_one_epoch(train):
    from medarch.training.epoch_record import EpochRecord

    finish = EpochRecord.on_train_epoch_end

    def finish_and_stop(self, *arguments):
        finish(self, *arguments)
        raise KilledError

    EpochRecord.on_train_epoch_end = finish_and_stop
    try:
        train()
    finally:
        EpochRecord.on_train_epoch_end = finish


def test_presets_of_nnunet_and_select_are_refused(dataset, trained, tmp_path):
    assert "plans segmentations" in run("plan", dataset, "-w", tmp_path, "-p", "nnunet", "-j", 0, code=2)
    assert "select compares segmentations" in run("select", trained, code=2)
