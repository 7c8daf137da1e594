"""Averaging prediction folders, medarch's and nnU-Net's, and the same in one pass."""

import json
import os
import pickle
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from small_plan import small_plan
from typer.testing import CliRunner
from untrained_model import write_model

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import PredictionError, UsageError
from medarch.core.labels import LabelScheme
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.core.selection import Candidate, Selection

FAST = {"device": "cpu", "precision": "float32", "mirror": False}
REGIONS = {
    "labels": {"background": 0, "whole": (1, 2), "core": (2,)},
    "regions_class_order": (1, 2),
}
PEER = """
import sys
from nnunetv2.ensembling.ensemble import ensemble_folders
if __name__ == "__main__":
    ensemble_folders(["first", "second"], "theirs", False, 1)
"""


def plan_of(configuration, **changes):
    plan = small_plan(**changes)
    only = plan.configuration().model_copy(update={"name": configuration})
    return plan.model_copy(update={"configurations": {configuration: only}, "default": configuration})


@pytest.fixture(scope="module")
def plan_folder(tmp_path_factory):
    """Two untrained configurations of one dataset."""
    folder = tmp_path_factory.mktemp("plan")
    write_model(folder / "fine" / "model", plan_of("fine"))
    write_model(
        folder / "coarse" / "model", plan_of("coarse", spacing_mm=(3.0, 2.5, 2.5), architecture="residual_unet")
    )
    return folder


@pytest.fixture
def folders(plan_folder, images, tmp_path):
    for name in ("fine", "coarse"):
        api.predict(plan_folder / name / "model", images, tmp_path / name, probabilities=True, **FAST)
    return [tmp_path / "fine", tmp_path / "coarse"]


def arrays(prediction):
    assert [row.error for row in prediction.cases] == [None] * len(prediction.cases)
    return {row.case: np.asarray(nib.load(row.output).dataobj) for row in prediction.cases}


def equal(ours, theirs):
    assert sorted(ours) == sorted(theirs)
    return all(np.array_equal(ours[case], theirs[case]) for case in ours)


def test_an_ensemble_of_folders_equals_both_models_in_one_pass(plan_folder, folders, images, tmp_path):
    step_by_step = arrays(api.ensemble(folders, tmp_path / "ensemble"))
    selection(("fine", "coarse")).save(plan_folder / "selection.json")
    at_once = arrays(api.predict(plan_folder / "selection.json", images, tmp_path / "at_once", **FAST))
    assert equal(step_by_step, at_once)
    alone = {case: np.asarray(nib.load(folders[0] / f"{case}.nii.gz").dataobj) for case in step_by_step}
    assert not equal(step_by_step, alone)


def selection(winner, *steps):
    return Selection(
        dataset="Test",
        plan="small",
        folds=("0",),
        cases=4,
        candidates=(Candidate(configurations=winner, dsc=0.5),),
        winner=winner,
        postprocessing=Postprocessing(steps=steps),
        commands=(),
    )


def test_a_selection_does_its_postprocessing_and_says_so(plan_folder, folders, images, tmp_path):
    step = KeepLargest(values=(2,))
    selection(("fine", "coarse"), step).save(plan_folder / "selection.json")
    made = api.predict(plan_folder / "selection.json", images, tmp_path / "made", **FAST)
    assert made.settings["postprocessing"] == "keep the largest component of 2"
    raw = api.ensemble(folders, tmp_path / "raw")
    step_file = tmp_path / "rules.json"
    Postprocessing(steps=(step,)).save(step_file)
    _, cases = api.postprocess(tmp_path / "raw", tmp_path / "clean", rules=step_file, workers=0)
    assert not cases.failed
    cleaned = {case: np.asarray(nib.load(path).dataobj) for case, path in cases.written.items()}
    assert equal(arrays(made), cleaned)
    assert not equal(arrays(raw), cleaned)
    plain = api.predict(plan_folder / "selection.json", images, tmp_path / "plain", postprocess=False, **FAST)
    assert equal(arrays(plain), arrays(raw))


def test_a_single_models_postprocessing_is_applied_by_default_and_can_be_left_out(plan_folder, images, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(plan_folder / "fine" / "model", model)
    before = arrays(api.predict(model, images, tmp_path / "before", **FAST))
    Postprocessing(steps=(KeepLargest(values=(1,)),)).save(model / "postprocessing.json")
    after = arrays(api.predict(model, images, tmp_path / "after", **FAST))
    assert not equal(before, after)
    assert all(((before[case] == after[case]) | (before[case] == 1)).all() for case in before)
    with pytest.raises(PredictionError, match="postprocessing"):
        api.predict(model, images, tmp_path / "after", postprocess=False, **FAST)
    without = api.predict(model, images, tmp_path / "without", postprocess=False, **FAST)
    assert without.settings["postprocessing"] == "none"
    assert equal(arrays(without), before)


def test_a_killed_ensemble_goes_on_and_probabilities_are_the_mean(folders, tmp_path):
    out = tmp_path / "out"
    first = api.ensemble(folders, out, probabilities=True)
    kept = {row.case: row.output.read_bytes() for row in first.cases}
    ledger = out / "ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:3]))
    again = api.ensemble(folders, out, probabilities=True)
    assert [row.status for row in again.cases] == ["skipped", "skipped", "done", "done"]
    assert {row.case: row.output.read_bytes() for row in again.cases} == kept
    members = [np.asarray(nib.load(folder / "probabilities" / "case_1.nii.gz").dataobj) for folder in folders]
    mean = np.asarray(nib.load(out / "probabilities" / "case_1.nii.gz").dataobj)
    np.testing.assert_allclose(mean, np.mean(members, axis=0), atol=1e-6)
    with pytest.raises(PredictionError, match="probabilities"):
        api.ensemble(folders, out)


def test_members_of_other_cases_labels_or_grids_are_refused(folders, images, tmp_path):
    with pytest.raises(UsageError, match="two folders"):
        api.ensemble(folders[:1], tmp_path / "out")
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(images.iterdir())[:3]:
        shutil.copy(path, few)
    other = write_model(tmp_path / "other" / "model", small_plan(labels={"background": 0, "organ": 1, "else": 2}))
    api.predict(other, images, tmp_path / "others", probabilities=True, **FAST)
    with pytest.raises(PredictionError, match="differ in labels"):
        api.ensemble([folders[0], tmp_path / "others"], tmp_path / "out")
    api.predict(other, few, tmp_path / "fewer", probabilities=True, **FAST)
    with pytest.raises(PredictionError, match=r"differ in cases.*case_3"):
        api.ensemble([tmp_path / "others", tmp_path / "fewer"], tmp_path / "out")
    image = nib.load(images / "case_0.nii.gz")
    data = np.array(image.dataobj)
    nib.save(nib.Nifti1Image(data, image.affine @ np.diag([1.2, 1, 1, 1])), images / "case_0.nii.gz")
    api.predict(other, images, tmp_path / "moved", probabilities=True, **FAST)
    with pytest.raises(PredictionError, match=r"grids of case case_0.*spacing"):
        api.ensemble([tmp_path / "others", tmp_path / "moved"], tmp_path / "out")
    api.predict(other, images, tmp_path / "plain", **FAST)
    with pytest.raises(PredictionError, match="no probabilities"):
        api.ensemble([tmp_path / "plain", tmp_path / "others"], tmp_path / "out")


def test_the_command_line_says_what_became_of_the_cases(folders, tmp_path):
    command = ["ensemble", *map(str, folders), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    assert [row["status"] for row in json.loads(result.stdout.splitlines()[-1])["cases"]] == ["done"] * 4
    damaged = folders[1] / "probabilities" / "case_2.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    result = CliRunner().invoke(app, [*command, "--restart"])
    assert result.exit_code == 1
    assert "3 case(s)" in result.stdout
    assert "case_2" in result.stderr


def write_nnunet_folder(folder, scheme, *, seed):
    """What nnUNetv2_predict --save_probabilities leaves, with arrays in the order of its reader."""
    folder.mkdir()
    labels = {name: list(value) if isinstance(value, tuple) else value for name, value in scheme.labels.items()}
    meta = {"labels": labels, "channel_names": {"0": "x"}, "numTraining": 1, "file_ending": ".nii.gz"}
    if scheme.regions_class_order:
        meta["regions_class_order"] = list(scheme.regions_class_order)
    (folder / "dataset.json").write_text(json.dumps(meta))
    plans = {
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "configurations": {},
        "plans_name": "p",
    }
    (folder / "plans.json").write_text(json.dumps({**plans, "dataset_name": "d"}))
    rng = np.random.default_rng(seed)
    for case in range(3):
        shape = (7 + case, 6, 5)
        shares = rng.random((scheme.heads, *shape)).astype(np.float32)
        if not scheme.has_regions:
            shares /= shares.sum(0)
        affine = np.diag([1.5, 1.2, 2.0, 1.0])
        image = nib.Nifti1Image(np.zeros(shape, np.uint8), affine)
        nib.save(image, folder / f"case_{case}.nii.gz")
        planes = shares.transpose(0, 3, 2, 1)
        np.savez_compressed(folder / f"case_{case}.npz", probabilities=planes)
        spacing = [float(value) for value in (2.0, 1.2, 1.5)]
        direction = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
        stuff = {"spacing": (1.5, 1.2, 2.0), "origin": (0.0, 0.0, 0.0), "direction": direction}
        with (folder / f"case_{case}.pkl").open("wb") as stream:
            pickle.dump({"sitk_stuff": stuff, "spacing": spacing}, stream)


SCHEMES = {
    "labels": LabelScheme(labels={"background": 0, "a": 1, "b": 2}),
    "regions": LabelScheme(**REGIONS),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nnunets_folders_are_averaged_without_opening_its_pickles(tmp_path, scheme):
    labels = SCHEMES[scheme]
    for seed, name in enumerate(("first", "second")):
        write_nnunet_folder(tmp_path / name, labels, seed=seed)
        for path in (tmp_path / name).glob("*.pkl"):
            path.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    made = arrays(api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "out"))
    for case, found in made.items():
        planes = [np.load(tmp_path / name / f"{case}.npz")["probabilities"] for name in ("first", "second")]
        mean = np.mean(planes, axis=0).transpose(0, 3, 2, 1)
        regions = np.where(mean[1] > 0.5, 2, np.where(mean[0] > 0.5, 1, 0))
        expected = mean.argmax(0) if scheme == "labels" else regions
        np.testing.assert_array_equal(found, expected)
    # What evaluate and postprocess need lies beside it.
    rules, _ = api.postprocess(tmp_path / "out", references=tmp_path / "out", workers=0)
    assert rules.steps == ()


def test_arrays_that_nnunet_turned_to_ras_are_turned_back(tmp_path):
    labels = SCHEMES["labels"]
    for seed, name in enumerate(("first", "second")):
        write_nnunet_folder(tmp_path / name, labels, seed=seed)
    straight = arrays(api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "straight"))
    for name in ("first", "second"):
        folder = tmp_path / name
        plans = json.loads((folder / "plans.json").read_text())
        (folder / "plans.json").write_text(json.dumps({**plans, "image_reader_writer": "NibabelIOWithReorient"}))
        for path in folder.glob("*.nii.gz"):
            image = nib.load(path)
            turn = ornt_transform(io_orientation(image.affine), axcodes2ornt("PSL"))
            turned = image.as_reoriented(turn)
            turned = nib.Nifti1Image(np.array(turned.dataobj), turned.affine)
            nib.save(turned, path)
    turned = api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "turned")
    for row in turned.cases:
        upright = nib.as_closest_canonical(nib.load(row.output))
        np.testing.assert_array_equal(np.asarray(upright.dataobj), straight[row.case])


def test_a_damaged_array_costs_one_case_and_an_unknown_reader_is_refused(tmp_path):
    for seed, name in enumerate(("first", "second")):
        write_nnunet_folder(tmp_path / name, SCHEMES["labels"], seed=seed)
    (tmp_path / "second" / "case_1.npz").write_bytes(b"PK\x03\x04 no")
    made = api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "out")
    assert [row.status for row in made.cases] == ["done", "failed", "done"]
    plans = json.loads((tmp_path / "first" / "plans.json").read_text())
    (tmp_path / "first" / "plans.json").write_text(json.dumps({**plans, "image_reader_writer": "Tiff3DIO"}))
    with pytest.raises(PredictionError, match="Tiff3DIO"):
        api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "out")


@pytest.mark.peer
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_label_maps_are_nnunets(tmp_path, scheme):
    if "MEDARCH_PEER_PYTHON" not in os.environ:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    for seed, name in enumerate(("first", "second")):
        write_nnunet_folder(tmp_path / name, SCHEMES[scheme], seed=seed)
    (tmp_path / "peer.py").write_text(PEER)
    subprocess.run([os.environ["MEDARCH_PEER_PYTHON"], "peer.py"], cwd=tmp_path, check=True)
    ours = arrays(api.ensemble([tmp_path / "first", tmp_path / "second"], tmp_path / "ours"))
    theirs = {case: np.asarray(nib.load(tmp_path / "theirs" / f"{case}.nii.gz").dataobj) for case in ours}
    assert equal(ours, theirs)
    assert all(len(np.unique(labels)) == 3 for labels in ours.values())
