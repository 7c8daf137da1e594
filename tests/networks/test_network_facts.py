import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import PlanError
from medarch.networks.receptive_field import receptive_field

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "voxels"), [("resnet18", 435), ("vgg16", 212), ("mobilenet_v1", 315)])
def test_receptive_fields_are_those_added_up_by_hand(name, voxels):
    # Each layer adds (kernel - 1) times the product of the strides before it.
    facts = api.show_network(name, dim=2, in_channels=3, heads=10)
    assert facts.receptive_field_voxels == (voxels, voxels)


def test_a_receptive_field_is_where_the_gradient_is():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 1, (3, 5), stride=(1, 2)), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2)
    )
    image = torch.randn(1, 1, 40, 60, requires_grad=True)
    output = network(image)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    seen = image.grad[0, 0].nonzero()
    extent = tuple((seen.max(0).values - seen.min(0).values + 1).tolist())
    assert receptive_field(network, image) == extent


def test_costs_grow_with_the_patch_and_are_those_of_a_known_network():
    facts = api.show_network("resnet50", dim=2, in_channels=3, heads=1000, patch_voxels=(224, 224))
    assert facts.parameters == 25_557_032
    # 4.09 G multiply-adds in torchvision's documentation; two operations each.
    assert facts.forward_gflop == pytest.approx(8.18, rel=0.01)
    small = api.show_network("plain_unet", patch_voxels=(32, 32, 32))
    large = api.show_network("plain_unet", patch_voxels=(64, 64, 64))
    assert large.training_bytes > 2 * (small.training_bytes - 300 * 2**20)


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(PlanError, match="resnet18"):
        api.show_network("resnet81")


def test_the_command_line_lists_and_shows():
    listed = CliRunner().invoke(app, ["networks", "list", "convnext*", "--json"])
    names = [entry["name"] for entry in json.loads(listed.stdout)["networks"]]
    assert names == ["convnext_tiny", "convnext_small", "convnext_base", "convnext_large"]
    shown = CliRunner().invoke(app, ["networks", "show", "mlp", "--dim", "2", "--classes", "10", "--json"])
    facts = json.loads(shown.stdout)
    assert (facts["parameters"], facts["receptive_field_voxels"]) == (238_510, None)
    refused = CliRunner().invoke(app, ["networks", "show", "resnet18", "--patch", "64"])
    assert refused.exit_code == 2


def test_the_table_in_the_docs_is_made_from_the_registry():
    path = ROOT / "pipelines" / "write_network_table.py"
    spec = importlib.util.spec_from_file_location("write_network_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "networks.md").read_text()
    assert module.page_with_table(page) == page
