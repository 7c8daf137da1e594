"""A model as nnU-Net's folder: what is in it, and that it comes back the same."""

import json
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_models import MODELS, cascade, changed, write_images, write_model
from small_plan import small_plan
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import MedarchError, ModelError, PlanError, UsageError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.plan import ChannelNormalisation
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.io.read_volume import read_volume

NNUNET = {"as_format": "nnunet"}


def read_checkpoint(folder, fold="0"):
    return torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", weights_only=True)


def labels(prediction):
    assert [row.error for row in prediction.cases] == [None] * len(prediction.cases)
    return [read_volume(row.output).array for row in prediction.cases]


@pytest.mark.parametrize("kind", MODELS)
def test_an_exported_model_that_is_imported_again_predicts_the_same_to_the_bit(kind, tmp_path):
    plan = MODELS[kind]
    model = write_model(tmp_path / "model", plan, folds=("0", "3"))
    exported = api.export(model, tmp_path / "results", **NNUNET)
    back = api.import_model(exported, tmp_path / "back").output
    images = write_images(tmp_path / "images", channels=len(plan.channels))
    one, other = (
        api.predict(folder, images, tmp_path / name, device="cpu", probabilities=True)
        for folder, name in ((model, "before"), (back, "after"))
    )
    for first, second in zip(one.cases, other.cases, strict=True):
        assert np.array_equal(read_volume(first.probabilities).array, read_volume(second.probabilities).array)
    assert all(np.array_equal(a, b) and a.any() for a, b in zip(labels(one), labels(other), strict=True))


def test_a_cascade_is_exported_with_its_earlier_stage_beside_it_and_comes_back_whole(tmp_path):
    model = cascade(tmp_path / "model")
    exported = api.export(model, tmp_path / "results", **NNUNET)
    assert sorted(path.name for path in exported.parent.iterdir()) == [
        "nnUNetTrainer__small__3d_cascade_fullres",
        "nnUNetTrainer__small__3d_lowres",
    ]
    plans = json.loads((exported / "plans.json").read_text())["configurations"]
    assert plans["3d_cascade_fullres"]["previous_stage"] == "3d_lowres"
    assert plans["3d_lowres"]["next_stage"] == "3d_cascade_fullres"
    back = api.import_model(exported, tmp_path / "back").output
    images = write_images(tmp_path / "images")
    one, other = (api.predict(folder, images, tmp_path / folder.name / "out", device="cpu") for folder in (model, back))
    assert all(np.array_equal(a, b) and a.any() for a, b in zip(labels(one), labels(other), strict=True))


def test_a_cascade_without_its_earlier_stage_is_refused(tmp_path):
    model = cascade(tmp_path / "model")
    (model / "previous_stage").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="cannot be exported without 3d_lowres"):
        api.export(model, tmp_path / "results", **NNUNET)
    assert not (tmp_path / "results").exists()


def test_every_tensor_lies_in_the_checkpoint_once_whatever_its_names(tmp_path):
    model = write_model(tmp_path / "model", small_plan())
    exported = api.export(model, tmp_path / "results", **NNUNET)
    weights = read_checkpoint(exported)["network_weights"]
    own = load_file(model / "weights_fold_0.safetensors")
    assert len(weights) > 2 * len(own)
    assert len({tensor.data_ptr() for tensor in weights.values()}) == len(own)
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


@pytest.mark.parametrize(("axes", "stored"), [((0, 2), (0, 2)), ((), None)])
def test_the_checkpoint_says_what_nnunet_needs_to_predict(tmp_path, axes, stored):
    plan = small_plan()
    inference = plan.configuration().inference.model_copy(update={"mirror_axes": axes})
    model = write_model(tmp_path / "model", changed(plan, inference=inference), folds=("all",))
    checkpoint = read_checkpoint(api.export(model, tmp_path / "results", **NNUNET), "all")
    assert checkpoint["trainer_name"] == "nnUNetTrainer"
    assert checkpoint["init_args"]["configuration"] == "small"
    assert checkpoint["init_args"]["fold"] == "all"
    assert checkpoint["inference_allowed_mirroring_axes"] == stored


def test_a_zip_holds_the_same_files_below_the_dataset(tmp_path):
    model = write_model(tmp_path / "model", small_plan())
    folder = api.export(model, tmp_path / "results", nnunet_id=7, **NNUNET)
    file = api.export(model, tmp_path / "model.zip", nnunet_id=7, zipped=True, **NNUNET)
    with zipfile.ZipFile(file) as archive:
        names = {f"Dataset007_Test/{folder.name}/{name}" for name in ("plans.json", "dataset.json")}
        assert set(archive.namelist()) == names | {f"Dataset007_Test/{folder.name}/fold_0/checkpoint_final.pth"}
        archive.extractall(tmp_path / "installed")
    assert (tmp_path / "installed" / "Dataset007_Test" / folder.name / "plans.json").read_bytes() == (
        folder / "plans.json"
    ).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["installed", "model", "model.zip", "results"]


def test_what_is_there_already_is_not_overwritten(tmp_path):
    model = write_model(tmp_path / "model", small_plan())
    first = api.export(model, tmp_path / "results", **NNUNET)
    (first / "plans.json").write_text("of another study")
    with pytest.raises(UsageError, match="exists"):
        api.export(model, tmp_path / "results", **NNUNET)
    assert (first / "plans.json").read_text() == "of another study"
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        api.export(model, tmp_path / "a.zip", zipped=True, **NNUNET)
    assert (tmp_path / "a.zip").read_text() == "mine"


def test_postprocessing_is_exported_as_nnunet_keeps_it(tmp_path, monkeypatch):
    model = write_model(tmp_path / "model", small_plan(), folds=("0", "1"))
    steps = Postprocessing(steps=(KeepLargest(values=(1, 2)), KeepLargest(values=(2,))), dsc_before=0.7, dsc_after=0.8)
    steps.save(model / "postprocessing.json")
    exported = api.export(model, tmp_path / "results", **NNUNET)
    module = types.ModuleType("nnunetv2.postprocessing.remove_connected_components")
    module.remove_all_but_largest_component_from_segmentation = function = lambda: None
    for name in ("nnunetv2", "nnunetv2.postprocessing"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    functions, arguments = pickle.loads((exported / "crossval_results_folds_0_1/postprocessing.pkl").read_bytes())
    assert functions == [function, function]
    assert arguments == [{"labels_or_regions": [1, 2]}, {"labels_or_regions": 2}]
    back = api.import_model(exported, tmp_path / "back").output
    assert Postprocessing.load(back / "postprocessing.json") == steps


def network(**changes):
    return small_plan().configuration().network.model_copy(update=changes)


CT = (ChannelNormalisation(scheme="ct"),)
REFUSED = {
    "orientation LPS": changed(small_plan(), recipe={"orientation": "LPS"}),
    "crop": changed(small_plan(), recipe={"crop": "none"}),
    "spacing": changed(small_plan(), recipe={"spacing_mm": (None, 1.0, 1.0)}),
    "statistics": changed(small_plan(), recipe={"normalisation": CT}),
    "network": changed(small_plan(), network=network(architecture="swin_unetr")),
    "network, with an option": changed(small_plan(), network=network(options={"depth": 2})),
    "task": small_plan(task="classification"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_nnunet_cannot_express_is_refused_by_name_and_nothing_is_written(tmp_path, what):
    model = write_model(tmp_path / "model", small_plan())
    REFUSED[what].save(model / "plan.json")
    with pytest.raises(PlanError, match=what.split(",")[0]) as caught:
        api.export(model, tmp_path / "results", **NNUNET)
    assert "nnU-Net has no words for" in caught.value.summary
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_orientation_goes_where_all_training_cases_are_stored_in_it(tmp_path, caplog):
    home = tmp_path / "Test"
    plan = changed(small_plan(), recipe={"orientation": "LAS"})
    statistics = IntensityStatistics(
        mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2
    )  # fmt: skip
    case = CaseFingerprint(
        id="a", shape=(9, 8, 7), shape_after_crop=(9, 8, 7), spacing_mm=(1, 2, 3), axcodes="LAS", label_voxels={},
        content_sha256="",
    )  # fmt: skip
    fingerprint = Fingerprint(
        dataset="Test", dataset_sha256="", cases=(case,), intensities=(statistics,),
        median_relative_size_after_crop=1.0, num_training=1,
    )  # fmt: skip
    model = write_model(
        home / "plan" / "small" / "model", plan.model_copy(update={"fingerprint_sha256": fingerprint.sha256()})
    )
    fingerprint.save(home / "fingerprint.json")
    (home / "dataset.json").write_bytes((model / "dataset.json").read_bytes())
    exported = api.export(model, tmp_path / "results", **NNUNET)
    assert json.loads((exported / "plans.json").read_text())["image_reader_writer"] == "SimpleITKIO"
    assert "stored so" in caplog.text
    written = json.loads((exported / "dataset_fingerprint.json").read_text())
    assert (written["shapes_after_crop"], written["spacings"]) == ([[7, 8, 9]], [[3, 2, 1]])


def test_weights_of_another_network_are_refused(tmp_path):
    model = write_model(tmp_path / "model", small_plan())
    changed(small_plan(), network=network(features=(4, 6, 10))).save(model / "plan.json")
    with pytest.raises(ModelError, match="weights"):
        api.export(model, tmp_path / "results", **NNUNET)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_command_says_what_to_run_next_and_refuses_unknown_formats(tmp_path):
    model = write_model(tmp_path / "model", small_plan())
    run = CliRunner().invoke(app, ["export", str(model), str(tmp_path / "out"), "--as", "nnunet", "--nnunet-id", "12"])
    assert run.exit_code == 0, run.output
    assert "nnUNetv2_predict_from_modelfolder" in run.output
    run = CliRunner().invoke(app, ["export", str(model), str(tmp_path / "out"), "--as", "tiff", "--json"])
    assert run.exit_code == 2
    assert json.loads(run.stdout.splitlines()[0])["code"] == "E900"
    with pytest.raises(MedarchError, match="not a model folder"):
        api.export(tmp_path / "out", tmp_path / "again", **NNUNET)
