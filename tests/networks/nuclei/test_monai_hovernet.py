"""MONAI's HoVerNet as an alternative: its own outputs, in the middle of its own windows."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import PlanError
from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import NetworkPlan
from medarch.inference.nuclei.image_maps import image_maps
from medarch.inference.nuclei.model_files import load_nuclei_model, save_nuclei_model
from medarch.networks.build_network import build_network
from medarch.networks.nuclei.nuclei_geometry import nuclei_geometry
from medarch.tasks.nuclei.hover_loss import HoverTarget, hover_loss


def plan_of(heads=3, **options):
    return NetworkPlan(architecture="monai_hovernet", dim=2, in_channels=3, heads=heads, options=options)


@pytest.fixture(scope="module")
def network():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return build_network(plan_of())


def test_one_loss_reaches_every_weight(network):
    network.train()
    output = network(torch.rand(1, 3, 256, 256))
    assert output.shape == (1, 2 + 2 + 3, 164, 164)
    nuclei = torch.rand(1, 164, 164) > 0.5
    target = HoverTarget(nuclei, torch.rand(1, 2, 164, 164), nuclei.long() * 2)
    hover_loss(output, target).backward()
    assert [name for name, part in network.named_parameters() if part.grad is None or not part.grad.any()] == []


@torch.no_grad()
def test_a_model_of_it_gives_monais_maps_at_their_place(network, tmp_path):
    network.eval()
    settings = NucleiSettings(network=plan_of(), window_pixels=256, mpp=0.25, types=("a", "b"))
    save_nuclei_model(tmp_path, network, settings)
    model = load_nuclei_model(tmp_path)
    assert (model.network.margin, model.network.side) == ((46, 46), 164)
    image = np.random.default_rng(0).integers(0, 256, (164, 164, 3), np.uint8)
    found = image_maps(model.network, image)
    window = np.pad(image, ((46, 46), (46, 46), (0, 0)), mode="symmetric")
    theirs = network.network(torch.from_numpy(window).permute(2, 0, 1)[None].float() / 255)
    expected = torch.cat(
        [
            theirs["nucleus_prediction"].softmax(1)[:, 1:],
            theirs["horizontal_vertical"],
            theirs["type_prediction"].softmax(1),
        ],
        dim=1,
    )
    np.testing.assert_allclose(found, expected[0].numpy(), rtol=2e-3, atol=2e-3)  # maps are kept in half precision


@pytest.mark.parametrize(("mode", "window", "output"), [("fast", 256, 164), ("original", 270, 80)])
def test_it_takes_its_one_window(mode, window, output):
    geometry = nuclei_geometry(plan_of(heads=1, mode=mode))
    assert geometry.output_voxels((window, window)) == (output, output)
    assert {geometry.window_from(side) for side in (136, 256, 512)} == {window}
    for other in (192, 512, 526):
        with pytest.raises(PlanError, match="does not suit MONAI"):
            geometry.output_voxels((other, other))


@pytest.mark.parametrize("changes", [{"mode": "quick"}, {"padded": True}])
def test_what_monai_has_not_is_refused(changes):
    with pytest.raises(PlanError):
        build_network(plan_of(**changes))


def test_other_networks_are_none_of_nuclei():
    with pytest.raises(PlanError, match="monai_hovernet"):
        nuclei_geometry(NetworkPlan(architecture="resnet18", dim=2, in_channels=3, heads=2))


def test_its_card_says_what_is_wrong_with_it():
    shown = CliRunner().invoke(app, ["networks", "show", "monai_hovernet", "--dim", "2", "--channels", "3", "--json"])
    card = json.loads(shown.stdout)
    assert "1.5, 4.5, 10.5 pixels" in card["caution"]
    assert (card["origin"], card["patch_voxels"]) == ("MONAI", [256, 256])
    listed = CliRunner().invoke(app, ["networks", "list", "--task", "nuclei", "--json"])
    assert "monai_hovernet" in [entry["name"] for entry in json.loads(listed.stdout)["networks"]]


@pytest.mark.slow
def test_it_is_planned_trained_and_used_by_name(tmp_path):
    tiles = tmp_path / "tiles"
    rows, columns = np.indices((170, 180))
    for name in ("images", "labels"):
        (tiles / name).mkdir(parents=True)
    for number in range(5):
        instances = np.zeros((170, 180), np.uint16)
        for index, (y, x) in enumerate(np.random.default_rng(number).uniform(0, 170, (25, 2)), start=1):
            instances[((rows - y) ** 2 + (columns - x) ** 2 < 64) & (instances == 0)] = index
        image = np.where(instances[..., None] > 0, (90, 60, 140), (235, 200, 225)).astype(np.uint8)
        Image.fromarray(image).save(tiles / "images" / f"t{number}.png")
        Image.fromarray(instances).save(tiles / "labels" / f"t{number}.png")
    (tiles / "dataset.json").write_text('{"task": "nuclei", "mpp": 0.25}')
    (tmp_path / "monai.yaml").write_text(
        "network: {architecture: monai_hovernet}\n"
        "batch_size: 2\ntraining: {epochs: 1, iterations_per_epoch: 3, validation_iterations: 1}\n"
    )
    plan = api.plan(tiles, tmp_path / "ws", device="cpu", changes=[tmp_path / "monai.yaml"], workers=0)
    assert plan.configuration().patch_voxels == (256, 256)
    [reason] = [reason for reason in plan.reasons if reason.decision == "network"]
    assert "10.5 pixels" in reason.because
    result = api.train(tmp_path / "ws" / "tiles" / "auto", fold=0, device="cpu")
    assert NucleiSettings.load(result.model / "nuclei.json").network.architecture == "monai_hovernet"
    assert result.evaluation is not None
    predicted = api.predict(result.model, tiles / "images", tmp_path / "out", mpp=0.25, tissue=False)
    assert [row.status for row in predicted.cases] == ["done"] * 5
