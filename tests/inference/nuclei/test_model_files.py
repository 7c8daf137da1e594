"""Models of nuclei from disk, and those of HoVerNet's authors."""

import json
import math

import pytest
import torch
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import DatasetError, ModelError, PlanError, UsageError
from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import NetworkPlan
from medarch.core.separation import Separation
from medarch.inference.nuclei.model_files import SETTINGS, WEIGHTS, load_nuclei_model, save_nuclei_model
from medarch.io.slides.find_slides import find_slides
from medarch.networks.build_network import build_network

SMALL = {"width": 0.125, "depths": (1, 1, 1, 1)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small untrained HoVerNet with two types whose nuclei are not everywhere."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    plan = NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=3, options=SMALL)
    network = build_network(plan).eval()
    settings = NucleiSettings(network=plan, window_pixels=256, mpp=0.5, types=("tumour", "immune"),
                              separation=Separation(nucleus_pixels=30))  # fmt: skip
    save_nuclei_model(folder, network, settings)
    return folder


def test_a_saved_model_gives_the_maps_of_its_network(folder):
    model = load_nuclei_model(folder)
    assert (model.names, model.separation.nucleus_pixels) == (("tumour", "immune"), 30)
    assert (model.network.window, model.network.margin, model.network.side) == ((256, 256), (46, 46), 164)
    network = build_network(NucleiSettings.load(folder / SETTINGS).network).eval()
    from safetensors.torch import load_file

    network.load_state_dict(load_file(folder / WEIGHTS))
    pixels = torch.randint(0, 256, (1, 256, 256, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        outputs = network(pixels.permute(0, 3, 1, 2) / 255)
    maps = torch.from_numpy(model.network.maps(pixels.numpy())).float()
    assert maps.shape == (1, 6, 164, 164)
    expected = torch.cat((outputs[:, :2].softmax(1)[:, 1:], outputs[:, 2:4], outputs[:, 4:].softmax(1)), 1)
    torch.testing.assert_close(maps, expected, atol=2e-3, rtol=2e-3)


def test_of_networks_that_pad_only_what_no_padding_touches_is_used(tmp_path):
    torch.manual_seed(0)
    plan = NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=1, options={**SMALL, "padded": True})
    network = build_network(plan).eval()
    save_nuclei_model(tmp_path, network, NucleiSettings(network=plan, window_pixels=192, mpp=0.5))
    model = load_nuclei_model(tmp_path)
    assert (model.network.side, model.network.types) == (100, 0)
    pixels = torch.randint(0, 256, (1, 192, 192, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        outputs = network(pixels.permute(0, 3, 1, 2) / 255)[..., 46:146, 46:146]
    expected = torch.cat((outputs[:, :2].softmax(1)[:, 1:], outputs[:, 2:4]), 1)
    found = torch.from_numpy(model.network.maps(pixels.numpy())).float()
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-3)


def test_predict_finds_nuclei_from_the_command_line_and_equals_itself(folder, crop, tmp_path):
    command = ["predict", str(folder), str(crop), str(tmp_path / "out"), "--device", "cpu", "--mpp", "0.5"]
    result = CliRunner().invoke(app, [*command, "--workers", "0", "--json"])
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)["cases"][0]
    assert (row["case"], row["status"]) == ("crop", "done")
    assert set(row["nuclei"]) == {"tumour", "immune"}
    other = api.predict(folder, crop, tmp_path / "other", mpp=0.5, device="cpu", chunk=200, workers=0)
    assert other.cases[0].output_sha256 == row["output_sha256"]
    again = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(again.stdout)["cases"][0]["status"] == "skipped"


def test_a_slide_without_pixel_size_is_exit_code_1_and_says_mpp(folder, crop, tmp_path):
    result = CliRunner().invoke(app, ["predict", str(folder), str(crop), str(tmp_path), "--device", "cpu"])
    assert result.exit_code == 1
    assert "--mpp" in result.output


def test_a_dry_run_counts_the_tiles_that_would_be_computed(folder, crop, tmp_path):
    (tmp_path / "bad.svs").write_bytes(b"x")
    (tmp_path / "crop.png").write_bytes(crop.read_bytes())
    command = ["predict", str(folder), str(tmp_path), str(tmp_path / "out"), "--mpp", "0.5", "--dry-run", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    bad, good = json.loads(result.stdout)
    assert (bad["case"], bad["passes"]) == ("bad", 0)
    assert (good["case"], good["passes"]) == ("crop", 12)
    assert good["seconds"] > 0
    assert not (tmp_path / "out").exists()


def test_options_without_effect_are_refused(folder, crop, tmp_path):
    with pytest.raises(UsageError, match="step, fast with a model of nuclei"):
        api.predict(folder, crop, tmp_path, step=0.5, fast=True)


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [("fast", ("a", "b")), pytest.param("fast", (), marks=pytest.mark.slow),
     pytest.param("original", (), marks=pytest.mark.slow)],
)  # fmt: skip
def test_checkpoints_of_the_authors_become_models(tmp_path, mode, kinds, monkeypatch):
    names = {"fast": "hovernet", "original": "hovernet_original"}
    torch.manual_seed(1)
    plan = NetworkPlan(architecture=names[mode], dim=2, in_channels=3, heads=len(kinds) + 1)
    network = build_network(plan)
    # Saved under our names: that the authors' are understood, the tests of networks show.
    torch.save({"desc": network.state_dict()}, tmp_path / "net.tar")
    settings = api.import_hovernet(tmp_path / "net.tar", tmp_path / "model", types=kinds, mode=mode)
    assert settings.window_pixels == {"fast": 256, "original": 270}[mode]
    model = load_nuclei_model(tmp_path / "model")
    assert model.network.side == {"fast": 164, "original": 80}[mode]
    assert model.network.types == (len(kinds) + 1 if kinds else 0)
    with pytest.raises(ModelError, match="is not a HoVerNet of mode"):
        api.import_hovernet(tmp_path / "net.tar", tmp_path / "m2", types=("x",) * (len(kinds) + 1), mode=mode)
    with pytest.raises(PlanError, match="window does not suit"):
        api.import_hovernet(tmp_path / "net.tar", tmp_path / "m3", types=kinds, mode=mode, window=250)


def test_damaged_models_are_told(folder, tmp_path):
    for name in (SETTINGS, WEIGHTS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(UsageError, match="unknown precision"):
        load_nuclei_model(tmp_path, precision="int4")
    settings = NucleiSettings.load(tmp_path / SETTINGS)
    settings.model_copy(update={"types": ("one",)}).save(tmp_path / SETTINGS)
    with pytest.raises(ModelError, match="names other types"):
        load_nuclei_model(tmp_path)
    settings.save(tmp_path / SETTINGS)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot load the weights"):
        load_nuclei_model(tmp_path)
    assert math.isclose(settings.mpp, 0.5)


def test_slides_of_a_folder_have_names_of_their_own(tmp_path):
    for name in ("a.svs", "b.tif", "b.png", "notes.txt", ".hidden.svs", "c.ome.tiff", "d/1.dcm", "d/2.dcm", "e/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = find_slides(tmp_path)
    assert {name: path.name for name, path in found.items()} == {
        "a": "a.svs", "b.png": "b.png", "b.tif": "b.tif", "c": "c.ome.tiff", "d": "d",
    }  # fmt: skip
    assert list(find_slides(tmp_path / "d")) == ["d"]
    assert list(find_slides(tmp_path / "a.svs")) == ["a"]
    for path, message in ((tmp_path / "e", "no slide in"), (tmp_path / "nothing", "nothing at")):
        with pytest.raises(DatasetError, match=message):
            find_slides(path)
