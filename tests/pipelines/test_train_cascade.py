"""A cascade from the folds of its first stage to a model folder with both, on real images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from medarch import api
from medarch.api.selection_commands import selection_commands
from medarch.cli.app import app
from medarch.core.dataset import Split
from medarch.core.errors import PlanError, TrainingError
from medarch.core.plan import Plan
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.core.prediction import CasePrediction, Prediction
from medarch.core.selection import Selection
from medarch.evaluation.evaluate import evaluate
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume
from medarch.preprocessing.previous_labels import PreviousLabels
from medarch.training.epoch_record import EpochRecord
from medarch.training.find_previous_stage import find_previous_stage

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
CASES = ("hippocampus_001", "hippocampus_019", "hippocampus_037", "hippocampus_049")
SPLITS = [{"train": CASES[:2], "val": CASES[2:]}, {"train": CASES[2:], "val": CASES[:2]}]
FAST = {"device": "cpu", "workers": 0}


def shrunken(plan):
    """The plan of the sample, with a low-resolution stage and its cascade, all tiny."""
    full = plan.configuration("3d_fullres")
    network = full.network.model_copy(
        update={
            "features": (6, 8),
            "strides": ((1, 1, 1), (2, 2, 2)),
            "kernels": ((3, 3, 3),) * 2,
            "blocks": (1, 1),
            "decoder_blocks": (1,),
        }
    )
    quick = {"epochs": 2, "iterations_per_epoch": 8, "validation_iterations": 1, "optimizer": "adamw"}
    training = full.training.model_copy(update={**quick, "learning_rate": 5e-3, "foreground_share": 1.0})
    small = full.model_copy(
        update={"patch_voxels": (16, 16, 16), "batch_size": 2, "network": network, "training": training}
    )
    coarse = small.preprocessing.model_copy(update={"spacing_mm": (2.0, 2.0, 2.0)})
    configurations = {
        "3d_lowres": small.model_copy(
            update={"name": "3d_lowres", "preprocessing": coarse, "next_stage": "3d_cascade_fullres"}
        ),
        "3d_cascade_fullres": small.model_copy(
            update={
                "name": "3d_cascade_fullres",
                "previous_stage": "3d_lowres",
                "network": network.model_copy(update={"in_channels": 1 + len(plan.labels.foreground_values)}),
            }
        ),
    }
    return plan.model_copy(update={"configurations": configurations, "default": "3d_cascade_fullres"})


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    plan = api.plan(SAMPLE, workspace, preset="nnunet", workers=0)
    shrunken(plan).save(workspace / plan.dataset / plan.name / "plan.json")
    (workspace / plan.dataset / "splits.json").write_text(json.dumps(SPLITS))
    return workspace / plan.dataset / plan.name


@pytest.fixture(scope="module")
def first_stage(planned):
    """One fold of the first stage, then the refusal, then the other."""
    api.train(planned, configuration="3d_lowres", fold=0, **FAST)
    with pytest.raises(TrainingError, match=r"needs the cross-validation of 3d_lowres.*-c 3d_lowres -f 1") as refusal:
        api.train(planned, fold=0, **FAST)
    assert "-f 0" not in refusal.value.fix
    api.train(planned, configuration="3d_lowres", fold=1, **FAST)
    return planned


@pytest.fixture(scope="module")
def trained(first_stage):
    return api.train(first_stage, fold=0, **FAST)


def copied(planned, target):
    shutil.copytree(planned.parent, target / planned.parent.name)
    return target / planned.parent.name / planned.name


def test_a_cascade_trains_after_the_folds_of_its_first_stage_and_holds_both(trained, first_stage, tmp_path):
    assert trained.evaluation is not None
    assert len(trained.evaluation.rows) == 2 * 2
    assert (trained.model / "previous_stage" / "weights_fold_1.safetensors").exists()
    out = tmp_path / "out"
    prediction = api.predict(
        first_stage, SAMPLE / "imagesTs", out, device="cpu", mirror=False, keep_previous_stage=True
    )
    assert [row.status for row in prediction.cases] == ["done"] * 4
    kept = [read_volume(out / "previous_stage" / row.output.name).array for row in prediction.cases]
    assert any(labels.any() for labels in kept)


def test_the_trained_network_listens_to_the_first_stage(trained, tmp_path):
    images = SAMPLE / "imagesTs"
    given = tmp_path / "given"
    given.mkdir()
    for path in images.iterdir():
        image = read_volume(path)
        write_volume(given / path.name, np.zeros(image.array.shape[1:], np.uint8), image.geometry)
    own = api.predict(trained.model, images, tmp_path / "own", device="cpu", mirror=False)
    other = api.predict(
        trained.model, images, tmp_path / "other", device="cpu", mirror=False, previous_stage_predictions=given
    )
    changed = [
        (read_volume(one.output).array != read_volume(two.output).array).any()
        for one, two in zip(own.cases, other.cases, strict=True)
    ]
    assert any(changed)


def test_a_killed_cascade_goes_on_to_the_same_weights(trained, first_stage, tmp_path, monkeypatch):
    home = copied(first_stage, tmp_path)
    fold = home / "3d_cascade_fullres" / "fold_0"
    expected = (fold / "weights.safetensors").read_bytes()
    shutil.rmtree(fold)
    record_epoch = EpochRecord.on_train_epoch_end
    epochs = iter(range(10))

    def killed_after_one(self, trainer, module):
        record_epoch(self, trainer, module)
        if next(epochs) == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochRecord, "on_train_epoch_end", killed_after_one)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        api.train(home, fold=0, validate=False, **FAST)
    assert (fold / "checkpoints" / "last.ckpt").exists()
    assert not (fold / "training.json").exists()
    monkeypatch.undo()
    api.train(home, fold=0, validate=False, **FAST)
    assert (fold / "weights.safetensors").read_bytes() == expected


def test_a_first_stage_trained_anew_is_noticed(trained, first_stage, tmp_path):
    home = copied(first_stage, tmp_path)
    api.train(home, fold=0, validate=False, **FAST)  # finished: nothing is done
    api.train(home, configuration="3d_lowres", fold=1, epochs=1, restart=True, **FAST)
    with pytest.raises(TrainingError, match="another first stage"):
        api.train(home, fold=0, validate=False, **FAST)


def test_select_finds_the_best_of_both_stages_and_their_pair_and_says_how_to_predict(trained, first_stage, tmp_path):
    home = copied(first_stage, tmp_path)
    with pytest.raises(PlanError, match="no configuration has all folds trained"):
        api.select(home, folds=["0", "1", "all"], device="cpu", workers=0)
    assert api.select(home, device="cpu", workers=0).winner == ("3d_lowres",)  # the cascade's fold 1 is missing
    api.train(home, fold=1, **FAST)
    steps = []
    found = api.select(home, device="cpu", workers=0, progress=lambda done, total: steps.append((done, total)))
    assert (2, 2) in steps  # probabilities that training did not keep were predicted again
    scores = {candidate.configurations: candidate.dsc for candidate in found.candidates}
    lowres, cascade, pair = ("3d_lowres",), ("3d_cascade_fullres",), ("3d_lowres", "3d_cascade_fullres")
    assert list(scores) == [lowres, cascade, pair]
    assert found.cases == 4
    for name, score in ((lowres[0], scores[lowres]), (cascade[0], scores[cascade])):
        assert score == pytest.approx(nnunet_mean(home / name), abs=1e-12)
    assert scores[found.winner] == max(scores.values())
    assert found.postprocessing.dsc_before == pytest.approx(scores[found.winner])
    assert Selection.load(home / "selection.json") == found
    kept = [path.stat().st_mtime_ns for path in sorted(home.glob("*/fold_*/validation/probabilities/*.nii.gz"))]
    assert len(kept) == 8
    again = api.select(home, device="cpu", workers=0)
    assert again == found
    assert kept == [path.stat().st_mtime_ns for path in sorted(home.glob("*/fold_*/validation/probabilities/*.nii.gz"))]


def nnunet_mean(configuration):
    predictions = {path.name.removesuffix(".nii.gz"): path for path in configuration.glob("fold_*/validation/*.nii.gz")}
    references = {case: SAMPLE / "labelsTr" / f"{case}.nii.gz" for case in predictions}
    labels = Plan.load(configuration.parent / "plan.json").labels
    return evaluate(predictions, references, labels=labels, empty_policy="nnunet", workers=0).mean()


@pytest.mark.parametrize("winner", [("3d_cascade_fullres",), ("3d_lowres", "3d_cascade_fullres")])
def test_a_selection_predicts_what_its_commands_predict_step_by_step(trained, first_stage, tmp_path, winner):
    home = copied(first_stage, tmp_path)
    rules = Postprocessing(steps=(KeepLargest(values=(1, 2)),))
    places = home / winner[0] / "model" if len(winner) == 1 else home / "selection"
    rules.save(places / "postprocessing.json")
    commands = selection_commands(home, winner, ("0",), rules=places / "postprocessing.json")
    Selection(
        dataset="x", plan="x", folds=("0",), cases=2, candidates=(), winner=winner, postprocessing=rules,
        commands=commands,
    ).save(home / "selection.json")  # fmt: skip
    words = {
        "INPUT": str(SAMPLE / "imagesTs"),
        **{f"OUTPUT_{name}": str(tmp_path / name) for name in (*winner, "ENSEMBLE")},
    }
    for number, steps in enumerate((commands[:1], commands[1:])):
        for command in steps:
            arguments = [
                {**words, "OUTPUT": str(tmp_path / f"out{number}")}.get(word, word) for word in command.split()
            ]
            extra = ["--device", "cpu", "--no-mirror"] if arguments[1] == "predict" else []
            result = CliRunner().invoke(app, [*arguments[1:], *extra])
            assert result.exit_code == 0, result.output
    pairs = [(path, tmp_path / "out1" / path.name) for path in sorted((tmp_path / "out0").glob("*.nii.gz"))]
    assert len(pairs) == 4
    for one, other in pairs:
        np.testing.assert_array_equal(read_volume(one).array, read_volume(other).array)


def test_every_case_of_a_cascade_comes_from_the_fold_that_did_not_see_it(trained, first_stage):
    labels = PreviousLabels(first_stage / "3d_cascade_fullres" / "previous_labels")
    for fold, split in enumerate(SPLITS):
        record = first_stage / "3d_lowres" / f"fold_{fold}" / "validation" / "predictions.json"
        made_by = Prediction.load(record).model_sha256
        assert {labels.origin(case)[0] for case in split["val"]} == {made_by}


def test_fold_all_takes_the_cross_validation_and_without_one_the_first_stages_own_fold_all(tmp_path):

    splits = [Split(train=("b",), val=("a",)), Split(train=("a",), val=("b",))]

    def validate(fold, cases):
        folder = tmp_path / f"fold_{fold}" / "validation"
        folder.mkdir(parents=True)
        rows = []
        for case in cases:
            (folder / f"{case}.nii.gz").touch()
            rows.append(CasePrediction(case=case, status="done", images=(), output=folder / f"{case}.nii.gz"))
        Prediction(model=folder, model_sha256=f"model {fold}", settings={}, cases=tuple(rows)).save(
            folder / "predictions.json"
        )

    def made_by(fold):
        return {case: found.made_by for case, found in
                find_previous_stage(tmp_path, splits, cases=("a", "b"), fold=fold).items()}  # fmt: skip

    validate("all", ("a", "b"))
    assert made_by("all") == {"a": "model all", "b": "model all"}
    with pytest.raises(TrainingError, match=r"fold 0: none for a; fold 1: none for b"):
        made_by(0)
    validate(0, ("a",))
    validate(1, ("b",))
    assert made_by("all") == made_by(0) == {"a": "model 0", "b": "model 1"}
