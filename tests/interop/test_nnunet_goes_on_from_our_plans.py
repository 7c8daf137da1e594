"""nnU-Net 2.8.1's planner, preprocessor and trainer beside what `medarch plan --as nnunet` writes, on real cases."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from blobs import shrink

from medarch import api
from medarch.core.fingerprint import Fingerprint

pytestmark = pytest.mark.peer

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
NAME = "Dataset004_Hippocampus"
PLANS = {
    "nnunet": ("ExperimentPlanner", "nnUNetPlans"),
    "resenc-m": ("nnUNetPlannerResEncM", "nnUNetResEncUNetMPlans"),
}
QUICK = {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "f"}
TRAIN_ONE_STEP = """
import json, sys, torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
if __name__ == "__main__":
    folder, plans, configuration = sys.argv[1:]
    read = lambda name: json.load(open(f"{folder}/{name}.json"))
    plans = read(plans) | {"continue_training": False}
    trainer = nnUNetTrainer(plans, configuration, 0, read("dataset"), torch.device("cpu"))
    trainer.initialize()
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    print("LOSS", float(trainer.train_step(next(trainer.dataloader_train))["loss"]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """nnU-Net's three folders, eight raw cases in the first."""
    if "MEDARCH_PEER_PYTHON" not in os.environ:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    folder = tmp_path_factory.mktemp("nnunet")
    raw = folder / "nnUNet_raw" / NAME
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    images = sorted((SAMPLE / "imagesTr").glob("*.nii.gz"))[:8]
    for image in images:
        stem = image.name.removesuffix(".nii.gz")
        shutil.copy(image, raw / "imagesTr" / f"{stem}_0000.nii.gz")
        shutil.copy(SAMPLE / "labelsTr" / image.name, raw / "labelsTr" / image.name)
    meta = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "Anterior": 1, "Posterior": 2}}
    (raw / "dataset.json").write_text(json.dumps(meta | {"numTraining": len(images), "file_ending": ".nii.gz"}))
    return folder


def run(folder, program, *arguments, **further):
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    settings = {name: str(folder / name) for name in names} | further
    for name in names:
        (folder / name).mkdir(exist_ok=True)
    words = [str(program), *map(str, arguments)]
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def nnunet(folder, command, *arguments):
    return run(folder, Path(os.environ["MEDARCH_PEER_PYTHON"]).with_name(f"nnUNetv2_{command}"), *arguments)


def close(value):
    """Numbers but for their last digits: sums over many voxels are taken in another order."""
    if isinstance(value, dict):
        return {key: close(each) for key, each in value.items()}
    if isinstance(value, list):
        return [close(each) for each in value]
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def theirs(home, tmp_path_factory):
    """The files of nnU-Net's own fingerprint and planners."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(home / "nnUNet_raw", folder / "nnUNet_raw")
    nnunet(folder, "extract_fingerprint", "-d", 4, "-np", 1)
    for planner, _ in PLANS.values():
        nnunet(folder, "plan_experiment", "-d", 4, "-pl", planner)
    return folder / "nnUNet_preprocessed" / NAME


@pytest.fixture(scope="module")
def workspace(home):
    for preset in PLANS:
        api.plan(home / "nnUNet_raw" / NAME, home / "workspace", preset=preset, as_format="nnunet", workers=0)
    return home / "workspace" / NAME


@pytest.mark.parametrize("preset", PLANS)
def test_plans_and_fingerprint_are_the_ones_nnunet_makes_of_the_same_cases(preset, theirs, workspace):
    ours, name = workspace / preset / "nnunet", PLANS[preset][1]
    for file in (name, "dataset_fingerprint", "dataset"):
        mine, other = (json.loads((folder / f"{file}.json").read_text()) for folder in (ours, theirs))
        for configuration in (*mine.get("configurations", {}).values(), *other.get("configurations", {}).values()):
            sizes = configuration["median_image_size_in_voxels"]
            configuration["median_image_size_in_voxels"] = [round(size) for size in sizes]
        assert mine == close(other), file


@pytest.fixture(scope="module")
def prepared(home, workspace):
    """Our files where nnU-Net looks for them, and its preprocessor run on them."""
    folder = home / "nnUNet_preprocessed" / NAME
    shutil.copytree(workspace / "nnunet" / "nnunet", folder)
    nnunet(home, "preprocess", "-d", 4, "-plans_name", "nnUNetPlans", "-c", "2d", "3d_fullres", "-np", 1, 1)
    return folder


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_cases_that_nnunet_prepared_by_our_plans_are_ours_but_for_the_last_digit(
    configuration, workspace, prepared, home
):
    imported = api.import_preprocessed(prepared, home / "imported", workers=0).folder
    ours, theirs = (
        api.preprocess(folder / plan, configuration=configuration, workers=0)
        for folder, plan in ((workspace, "nnunet"), (imported, "nnUNetPlans"))
    )
    assert len(ours.ids()) == 8
    for case in ours.ids():
        assert np.abs(ours.read_image(case) - theirs.read_image(case)).max() < 1e-5
        assert np.array_equal(ours.read_label(case), theirs.read_label(case))
        hashes = {"source_sha256", "recipe_sha256"}
        assert ours.record(case).model_dump(exclude=hashes) == theirs.record(case).model_dump(exclude=hashes)
    own, read = (Fingerprint.load(folder / "fingerprint.json") for folder in (workspace, imported))
    assert [case.label_voxels for case in own.cases] == [case.label_voxels for case in read.cases]


def test_medarch_trains_and_validates_on_what_nnunet_prepared(prepared, tmp_path):
    imported = api.import_preprocessed(prepared, tmp_path, configuration="3d_fullres", workers=0).folder
    shrink(imported / "nnUNetPlans" / "plan.json")
    result = api.train(imported / "nnUNetPlans", configuration="3d_fullres", device="cpu", workers=0)
    assert result.evaluation is not None
    assert {row.case for row in result.evaluation.rows} == set(
        api.PlanFolder.load(result.model.parents[1]).split(0).val
    )


def test_nnunets_trainer_takes_a_step_by_our_plans_on_our_fold(home, prepared, tmp_path):
    (tmp_path / "step.py").write_text(TRAIN_ONE_STEP)
    said = run(home, os.environ["MEDARCH_PEER_PYTHON"], tmp_path / "step.py", prepared, "nnUNetPlans", "2d", **QUICK)
    assert float(said.split("LOSS ")[1].split()[0]) < 5
    splits = json.loads((prepared / "splits_final.json").read_text())
    assert f"{len(splits[0]['train'])} training and {len(splits[0]['val'])} validation cases" in said
