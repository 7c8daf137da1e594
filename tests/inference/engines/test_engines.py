"""Every engine against float32 layer by layer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_plan as small_plan_module
import torch
from small_plan import small_network, small_plan
from untrained_model import write_model

from medarch.core.errors import UsageError
from medarch.inference.engines.load_engine import ENGINES, load_engine
from medarch.inference.linear_head import LinearHead
from medarch.inference.load_model import load_model
from medarch.networks.build_network import build_network

CPU = torch.device("cpu")
CLOSE = {torch.float32: 1e-4, torch.bfloat16: 0.1}
SLOW = {"compile", "compile_bf16"}


def usable(name):
    missing = ENGINES[name].missing(CPU)
    if missing:
        pytest.skip(missing)
    return name


def network(architecture="plain_unet", dim=3):
    torch.manual_seed(5)
    return build_network(small_network(architecture, dim=dim)).eval().requires_grad_(False)


def agree(name, net, tiles):
    engine = load_engine(usable(name), net, CPU)
    with torch.inference_mode():
        expected = LinearHead.features_of(net, tiles)
    found = engine(tiles.to(engine.dtype))
    assert found.shape == expected.shape
    assert found.dtype == engine.dtype
    scale = expected.abs().max()
    torch.testing.assert_close(found.float() / scale, expected / scale, rtol=0, atol=CLOSE[ENGINES[name].compute])
    return engine


@pytest.mark.parametrize("name", [name for name in ENGINES if name not in SLOW])
@pytest.mark.parametrize(
    ("architecture", "dim", "patch"),
    [("plain_unet", 3, (8, 16, 16)), ("residual_unet", 3, (8, 16, 16)), ("plain_unet", 2, (16, 16))],
)
def test_an_engine_returns_the_network_s_features(name, architecture, dim, patch):
    net = network(architecture, dim)
    agree(name, net, torch.randn(1, 1, *patch))


@pytest.mark.parametrize("name", [name for name in ENGINES if name not in SLOW])
def test_an_engine_takes_any_number_of_tiles_and_keeps_nothing_of_what_it_returned(name):
    net = network()
    tiles = torch.randn(3, 1, 8, 16, 16)
    engine = agree(name, net, tiles)
    first = engine(tiles[:1].to(engine.dtype))
    before = first.clone()
    engine(tiles[1:].to(engine.dtype))
    assert torch.equal(first, before)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_compiled_network_returns_the_network_s_features(name):
    agree(name, network(), torch.randn(2, 1, 8, 16, 16))


def test_making_an_engine_leaves_the_network_as_it_was():
    net = network()
    before = {key: (value.dtype, value.stride(), value.clone()) for key, value in net.state_dict().items()}
    for name in ("channels_last", "bf16"):
        load_engine(name, net, CPU)
    for key, value in net.state_dict().items():
        dtype, stride, content = before[key]
        assert (value.dtype, value.stride()) == (dtype, stride)
        assert torch.equal(value, content)


def test_an_unknown_engine_and_one_of_another_device_are_refused_by_name():
    with pytest.raises(UsageError, match="channels_last"):
        load_engine("tensorrt", network(), CPU)
    with pytest.raises(UsageError, match="no engine fp16 here"):
        load_engine("fp16", network(), CPU)


def test_a_model_predicts_on_the_engine_asked_for(tmp_path):
    folder = write_model(tmp_path / "model", small_plan())
    assert load_model(folder).engine == "channels_last"
    assert load_model(folder, precision="bf16").engine == "bf16"
    model = load_model(folder, engine="eager")
    assert model.with_engine("bf16").dtype == torch.bfloat16
    with pytest.raises(UsageError, match="does not compute in float32"):
        load_model(folder, engine="bf16", precision="float32")


def test_openvino_starts_no_process_and_tells_nobody():
    """A hook of Python's cannot be taken away again, so in a program of its own."""
    usable("openvino")
    program = """
import sys

def hook(event, arguments):
    if event in ("os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect"):
        told.append(event)

told = []
sys.addaudithook(hook)
import torch
from medarch.inference.engines.load_engine import load_engine
from medarch.networks.build_network import build_network
from small_plan import small_network

engine = load_engine("openvino", build_network(small_network("plain_unet", dim=3)).eval(), torch.device("cpu"))
engine(torch.ones(1, 1, 8, 16, 16))
assert not told, told
"""
    places = os.pathsep.join((str(Path(small_plan_module.__file__).parent), *sys.path))
    environment = os.environ | {"PYTHONPATH": places}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
