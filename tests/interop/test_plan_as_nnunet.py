"""`medarch plan --as nnunet`: the files, where they lie, and what they say of any dataset."""

import json
import shutil
from pathlib import Path

import nibabel
import pytest
from blobs import NAME, write_raw
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import PlanError, UsageError
from medarch.core.plan import Plan

FILES = {"dataset.json", "dataset_fingerprint.json", "nnUNetPlans.json", "splits_final.json"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("raw") / NAME)


def plan(source, workspace, **settings):
    return api.plan(source, workspace, as_format="nnunet", workers=0, **{"preset": "nnunet"} | settings)


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_a_dataset_in_nnunets_own_layout_keeps_its_name_and_its_file(raw, tmp_path):
    plan(raw, tmp_path)
    folder = tmp_path / NAME / "nnunet" / "nnunet"
    assert {path.name for path in folder.iterdir()} == FILES
    assert read(folder, "dataset.json") == read(raw, "dataset.json")
    assert read(folder, "nnUNetPlans.json")["dataset_name"] == NAME
    assert read(folder, "splits_final.json") == read(tmp_path / NAME, "splits.json")


def test_any_other_dataset_gets_a_number_and_says_where_its_files_lie(raw, tmp_path):
    elsewhere = shutil.copytree(raw, tmp_path / "blobs")
    plan(elsewhere, tmp_path / "w", nnunet_id=42, name="mine")
    folder = tmp_path / "w" / "blobs" / "mine" / "nnunet"
    plans = read(folder, "mine.json")
    assert (plans["dataset_name"], plans["plans_name"]) == ("Dataset042_blobs", "mine")
    assert plans["configurations"]["2d"]["data_identifier"] == "mine_2d"
    entries = read(folder, "dataset.json")["dataset"]
    assert sorted(entries) == [f"blob_{number}" for number in range(6)]
    assert all(Path(path).is_absolute() and Path(path).exists() for path in entries["blob_0"]["images"])
    assert Path(entries["blob_0"]["label"]) == elsewhere / "labelsTr" / "blob_0.nii.gz"


def test_what_nnunet_cannot_do_leaves_no_plan_behind(raw, tmp_path):
    changes = tmp_path / "changes.yaml"
    changes.write_text("preprocessing: {orientation: LPS}\n")
    with pytest.raises(PlanError, match="orientation LPS"):
        plan(raw, tmp_path / "w", changes=[changes])
    assert not (tmp_path / "w" / NAME / "nnunet").exists()
    mixed = shutil.copytree(raw, tmp_path / "mixed")
    label = mixed / "labelsTr" / "blob_0.nii.gz"
    meta = read(mixed, "dataset.json")
    entries = {
        f"blob_{number}": {
            "images": [f"imagesTr/blob_{number}_0000.nii.gz"],
            "label": f"labelsTr/blob_{number}.nii" + (".gz" if number else ""),
        }
        for number in range(6)
    }
    nibabel.save(nibabel.load(label), mixed / "labelsTr" / "blob_0.nii")
    (mixed / "dataset.json").write_text(json.dumps(meta | {"dataset": entries}))
    with pytest.raises(PlanError, match="files of several kinds"):
        plan(mixed, tmp_path / "w")
    assert not (tmp_path / "w" / "mixed" / "nnunet").exists()


def test_the_auto_plan_goes_out_with_its_orientation(raw, tmp_path):
    made = plan(raw, tmp_path, preset="auto", device="cpu", memory_gb=2)
    assert made.configuration().preprocessing.orientation == "RAS"
    plans = read(tmp_path / NAME / "auto" / "nnunet", "auto.json")
    assert plans["image_reader_writer"] == "NibabelIOWithReorient"
    network = made.configuration().network
    entry = plans["configurations"][made.default]
    assert entry["architecture"]["arch_kwargs"]["features_per_stage"] == list(network.features)
    assert entry["patch_size"] == list(made.configuration().patch_voxels)
    # The turned case's axes are the patient's, not the file's.
    fingerprint = read(tmp_path / NAME / "auto" / "nnunet", "dataset_fingerprint.json")
    assert fingerprint["spacings"] == [pytest.approx([1.5, 1.0, 1.2])] * 6


def test_the_command_line_says_the_same_and_a_dry_run_writes_nothing(raw, tmp_path):
    command = ["plan", str(raw), "-w", str(tmp_path), "-p", "nnunet", "--as", "nnunet", "-j", "0"]
    assert CliRunner().invoke(app, [*command, "--dry-run"]).exit_code == 0
    assert not (tmp_path / NAME / "nnunet").exists()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert {path.name for path in (tmp_path / NAME / "nnunet" / "nnunet").iterdir()} == FILES
    assert Plan.load(tmp_path / NAME / "nnunet" / "plan.json").name == "nnunet"
    with pytest.raises(UsageError, match="onnx"):
        api.plan(raw, tmp_path, as_format="onnx")
