"""The authors' own network, run with the same weights. Their code lies outside; see MEDARCH_HOVERNET_SOURCE."""

import importlib
import os
import sys
import types
from pathlib import Path

import pytest
import torch

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.weights.fit_weights import fit_weights
from medarch.training.read_weights import read_weights

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def authors():
    """Their module of networks, from a checkout of github.com/vqdang/hover_net."""
    folder = os.environ.get("MEDARCH_HOVERNET_SOURCE", "")
    if not (Path(folder) / "models" / "hovernet" / "net_desc.py").is_file():
        pytest.skip("MEDARCH_HOVERNET_SOURCE names no checkout of hover_net")
    sys.path.insert(0, folder)
    # Their settings import everything they have; the networks do not use them.
    settings = types.ModuleType("config")
    settings.Config = object
    sys.modules["config"] = settings
    yield importlib.import_module("models.hovernet.net_desc")
    sys.path.remove(folder)


def disturb(network):
    """Weights and statistics away from their start, as after training."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return network


@pytest.mark.parametrize(("mode", "window"), [("fast", 256), ("fast", 192), ("original", 270)])
@pytest.mark.parametrize("kinds", [5, None])
@torch.no_grad()
def test_same_weights_same_output(authors, tmp_path, mode, window, kinds):
    torch.manual_seed(0)
    theirs = disturb(authors.HoVerNet(mode=mode, nr_types=kinds)).eval()
    # As their trainer saves it: every name behind "module.", all under "desc".
    file = tmp_path / "checkpoint.tar"
    torch.save({"desc": {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}}, file)
    network = build_network(
        NetworkPlan(
            architecture="hovernet" if mode == "fast" else "hovernet_original", dim=2, in_channels=3, heads=kinds or 1
        )
    )
    report = fit_weights(network, read_weights(file))
    assert (report.missing, report.resized, report.unused) == ((), (), ("upsample2x.unpool_mat",))
    image = torch.randint(0, 256, (1, 3, window, window)).float()
    expected = theirs(image)
    found = network.eval()(image / 255)
    for name, channels in (("np", slice(0, 2)), ("hv", slice(2, 4)), ("tp", slice(4, None))):
        if name in expected:
            torch.testing.assert_close(found[:, channels], expected[name], rtol=1e-4, atol=1e-4)
