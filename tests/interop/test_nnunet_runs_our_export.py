"""nnU-Net 2.8.1's own commands on what medarch exports."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_models import MODELS, cascade, write_images, write_model
from small_plan import small_plan

from medarch import api
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.io.read_volume import read_volume

pytestmark = pytest.mark.peer

EXACT = {"device": "cpu", "precision": "float32"}


@pytest.fixture
def nnunet(tmp_path):
    """Runs one of nnU-Net's commands with its folders inside ``tmp_path``."""
    python = os.environ.get("MEDARCH_PEER_PYTHON")
    if python is None:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    folders = {name: str(tmp_path / name) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}

    def run(command, *arguments):
        path = Path(python).with_name(f"nnUNetv2_{command}")
        words = [str(path), *map(str, arguments)]
        done = subprocess.run(words, env=os.environ | folders, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]

    return run


def label_maps(folder):
    return {path.name: read_volume(path).array[0] for path in sorted(folder.glob("*.nii.gz"))}


def worst_dice(ours, theirs):
    assert ours.keys() == theirs.keys()
    found = []
    for name, mine in ours.items():
        for value in np.unique(mine)[1:]:
            a, b = mine == value, theirs[name] == value
            found.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert len(found) > 1
    return min(found)


def predict(nnunet, model, images, output, *further):
    nnunet("predict_from_modelfolder", "-i", images, "-o", output, "-m", model, "-f", 0,
           "-device", "cpu", "-npp", 1, "-nps", 1, *further)  # fmt: skip
    return label_maps(output)


@pytest.mark.parametrize("kind", MODELS)
def test_nnunet_predicts_with_our_export_what_we_predict(kind, nnunet, tmp_path):
    plan = MODELS[kind]
    model = write_model(tmp_path / "model", plan, trained=True)
    images = write_images(tmp_path / "images", channels=len(plan.channels))
    exported = api.export(model, tmp_path / "results", as_format="nnunet")
    api.predict(model, images, tmp_path / "ours", **EXACT)
    theirs = predict(nnunet, exported, images, tmp_path / "theirs")
    assert worst_dice(label_maps(tmp_path / "ours"), theirs) >= 0.999


def test_nnunet_predicts_with_both_stages_of_our_cascade(nnunet, tmp_path):
    model = cascade(tmp_path / "model", trained=True)
    images = write_images(tmp_path / "images")
    exported = api.export(model, tmp_path / "results", as_format="nnunet")
    api.predict(model, images, tmp_path / "ours", **EXACT)
    lowres = exported.with_name(exported.name.replace("cascade_fullres", "lowres"))
    predict(nnunet, lowres, images, tmp_path / "lowres")
    theirs = predict(nnunet, exported, images, tmp_path / "theirs", "-prev_stage_predictions", tmp_path / "lowres")
    assert worst_dice(label_maps(tmp_path / "ours"), theirs) >= 0.999


def test_nnunet_installs_our_zip_and_applies_our_postprocessing(nnunet, tmp_path):
    model = write_model(tmp_path / "model", small_plan(), trained=True)
    Postprocessing(steps=(KeepLargest(values=(1, 2)), KeepLargest(values=(1,)))).save(model / "postprocessing.json")
    api.export(model, tmp_path / "model.zip", as_format="nnunet", zipped=True)
    (tmp_path / "nnUNet_results").mkdir()
    nnunet("install_pretrained_model_from_zip", tmp_path / "model.zip")
    installed = tmp_path / "nnUNet_results" / "Dataset999_Test" / "nnUNetTrainer__small__small"
    images = write_images(tmp_path / "images")
    before = predict(nnunet, installed, images, tmp_path / "theirs")
    steps = installed / "crossval_results_folds_0" / "postprocessing.pkl"
    nnunet(
        "apply_postprocessing", "-i", tmp_path / "theirs", "-o", tmp_path / "cleaned", "-pp_pkl_file", steps, "-np", 1
    )
    after = label_maps(tmp_path / "cleaned")
    assert any((before[name] != after[name]).any() for name in before)
    assert all((after[name] == 1).any() for name in after)
