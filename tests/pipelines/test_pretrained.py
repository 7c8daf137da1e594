"""``medarch train --pretrained`` on real cases: a 2D classifier in a 3D segmentation network, and on from there."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import ModelError, TrainingError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.weights.inflate import inflate

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
CONFIGURATION = "3d_fullres"
CHANGES = """
network:
  architecture: encoder_decoder
  features: [4, 8, 8, 8]
  options: {encoder: resnet18, decoder: unet, encoder_options: {depths: [1, 1, 1, 1], width: 0.125}}
batch_size: 2
training:
  {epochs: 1, iterations_per_epoch: 2, validation_iterations: 1, frozen_stages: 1, layer_decay: 0.5,
  weight_average_decay: null, learning_rate: 0.01, patience_epochs: null}
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as torchvision's: RGB, two dimensions, a thousand classes."""
    torch.manual_seed(0)
    options = {"depths": (1, 1, 1, 1), "width": 0.125}
    network = build_network(NetworkPlan(architecture="resnet18", dim=2, in_channels=3, heads=1000, options=options))
    path = tmp_path_factory.mktemp("weights") / "resnet.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    (root / "changes.yaml").write_text(CHANGES)
    plan = api.plan(SAMPLE, root, preset="nnunet", changes=[root / "changes.yaml"], workers=0)
    return root / plan.dataset / plan.name


def test_training_starts_from_the_file_keeps_frozen_stages_and_goes_on_from_its_own_model(weights, folder):
    arguments = [
        "train",
        folder,
        "-c",
        CONFIGURATION,
        "--pretrained",
        weights,
        "--device",
        "cpu",
        "--no-validate",
        "-j",
        0,
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    home = folder / CONFIGURATION
    trained = load_file(home / "model" / "weights_fold_0.safetensors")
    first = torch.load(weights, weights_only=True)["state_dict"]
    name = "encoder.stages.0.conv.weight"
    mine = trained[f"encoder.{name}"]
    expected = inflate(first[name], mine.shape[2]).sum(1, keepdim=True)
    torch.testing.assert_close(mine, expected)
    assert torch.equal(
        trained["encoder.encoder.stages.0.norm.running_mean"], first["encoder.stages.0.norm.running_mean"]
    )
    later = "encoder.stages.1.0.conv1.weight"
    assert not torch.equal(trained[f"encoder.{later}"], inflate(first[later], trained[f"encoder.{later}"].shape[2]))
    with pytest.raises(TrainingError, match="other weights"):
        api.train(folder, configuration=CONFIGURATION, device="cpu", validate=False, workers=0)
    api.train(
        folder, configuration=CONFIGURATION, device="cpu", validate=False, workers=0, pretrained=home / "model", fold=1
    )
    assert (home / "model" / "weights_fold_1.safetensors").exists()


def test_weights_of_another_network_are_refused_before_training(folder, tmp_path):
    torch.save({"linear.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="not those of this network"):
        api.train(
            folder,
            configuration=CONFIGURATION,
            device="cpu",
            validate=False,
            workers=0,
            fold=2,
            pretrained=tmp_path / "other.pth",
        )
