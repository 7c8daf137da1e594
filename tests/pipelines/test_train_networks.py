"""Segmentation networks, planned, trained for an epoch, and used, through the commands a user types."""

import csv
import json
import math
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.core.plan import Plan
from medarch.inference.linear_head import LinearHead
from medarch.inference.load_model import load_model
from medarch.networks.registry import REGISTRY

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
SEGMENTATION = sorted(name for name, entry in REGISTRY.items() if entry.task == "segmentation")
SHORT = "batch_size: 2\ntraining: {epochs: 1, iterations_per_epoch: 3, validation_iterations: 1}\n"
TINY_FCN = {"encoder": "resnet18", "decoder": "fcn", "encoder_options": {"width": 0.0625}}


def medarch(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def train(folder, network, *arguments):
    """The configuration, the row of the only epoch, and what ``medarch train`` said, of 24 real cases."""
    changes = folder / "changes.yaml"
    changes.write_text(f"network: {json.dumps(network)}\n{SHORT}")
    medarch("plan", SAMPLE, "-w", folder, "--preset", "nnunet", "--name", "net", "--with", changes, "--workers", 0)
    (home,) = folder.glob("*/net")
    said = medarch(
        "train", home, "-c", "3d_fullres", "--device", "cpu", "--workers", 0, "--json", *arguments
    )  # fmt: skip
    with (home / "3d_fullres" / "fold_0" / "log.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    return Plan.load(home / "plan.json").configuration("3d_fullres"), row, json.loads(said)


@pytest.mark.parametrize(
    ("architecture", "options", "averages_features"),
    [("unetplusplus", {}, True), ("encoder_decoder", TINY_FCN, False)],
)
def test_a_network_of_the_registry_is_planned_trained_and_loaded(tmp_path, architecture, options, averages_features):
    network = {"architecture": architecture, "options": options, "features": [4, 8, 8, 8]}
    configuration, row, said = train(tmp_path, network, "--no-validate")
    assert configuration.network.architecture == architecture
    assert 0 < float(row["train_loss"]) < 5
    model = load_model(Path(said["model"]), precision="float32")
    assert set(load_file(model.folder / "weights_fold_0.safetensors")) == set(model.networks[0].state_dict())
    assert (LinearHead.of(model.networks, classes=3).features != 3) == averages_features


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SEGMENTATION)
def test_every_network_trains_an_epoch_on_real_data_and_its_predictions_are_scored(tmp_path, architecture):
    configuration, row, said = train(tmp_path, {"architecture": architecture})
    assert configuration.network.architecture == architecture
    assert 0 < float(row["train_loss"]) < 5
    assert math.isfinite(said["validation_dsc"])
