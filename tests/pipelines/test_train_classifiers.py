"""Every classifier, at its full size, trains an epoch on real cases through the commands a user types."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.io.read_volume import read_volume
from medarch.networks.registry import REGISTRY

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
CLASSIFIERS = sorted(name for name, entry in REGISTRY.items() if entry.task == "classification")
SHORT = """
network: {{architecture: {name}, options: {options}}}
batch_size: 2
training: {{epochs: 1, iterations_per_epoch: 2, validation_iterations: 1, patience_epochs: null}}
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The hippocampus sample; what is to be told is whether the hippocampus is larger than the median."""
    folder = tmp_path_factory.mktemp("data") / "Large"
    (folder / "images").mkdir(parents=True)
    labels = sorted((SAMPLE / "labelsTr").glob("*.nii.gz"))
    voxels = [int((read_volume(path).array > 0).sum()) for path in labels]
    rows = ["case,label"]
    for path, count in zip(labels, voxels, strict=True):
        case = path.name.removesuffix(".nii.gz")
        [image] = [file for file in (SAMPLE / "imagesTr").glob(f"{case}*") if not file.name.startswith(".")]
        shutil.copy(image, folder / "images" / f"{case}.nii.gz")
        rows.append(f"{case},{'large' if count > np.median(voxels) else 'small'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "dataset.json").write_text(json.dumps({"task": "classification", "channel_names": {"0": "MRI"}}))
    return folder


def medarch(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def train(dataset, folder, name, options):
    changes = folder / "changes.yaml"
    changes.write_text(SHORT.format(name=name, options=json.dumps(options)))
    medarch("plan", dataset, "-w", folder, "--with", changes, "--device", "cpu", "--memory", 12, "-j", 0)
    home = folder / "Large" / "auto"
    said = json.loads(medarch("train", home, "--device", "cpu", "-j", 0, "--json").splitlines()[-1])
    with (Path(said["folder"]) / "log.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert 0 < float(row["train_loss"]) < 20
    assert (Path(said["model"]) / "weights_fold_0.safetensors").exists()


def test_a_classifier_with_auxiliary_heads_trains_on_real_data(dataset, tmp_path):
    train(dataset, tmp_path, "googlenet", REGISTRY["googlenet"].tiny)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_trains_an_epoch_on_real_data(dataset, tmp_path, name):
    train(dataset, tmp_path, name, {})
    shutil.rmtree(tmp_path)  # checkpoints of all of them would be a hundred gigabytes
