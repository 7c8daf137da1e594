"""Compositions against segmentation_models_pytorch 0.6.0, outputs with copied weights."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network, fit_topology

pytestmark = pytest.mark.peer
SCRIPT = Path(__file__).parent / "smp_outputs.py"
CASES = {
    "unet_resnet34": ("resnet34", "unet"),
    "unetplusplus_resnet34": ("resnet34", "unet++"),
    "unet_efficientnet_b0": ("efficientnet_b0", "unet"),
}


@pytest.fixture(scope="module")
def smp(tmp_path_factory):
    python = os.environ.get("MEDARCH_ORACLE_PYTHON")
    if python is None:
        pytest.skip("MEDARCH_ORACLE_PYTHON is not set")
    folder = tmp_path_factory.mktemp("smp")
    subprocess.run([python, SCRIPT, folder], check=True, env={**os.environ, "PYTHONPATH": ""})
    return folder


def values(state, start):
    return [value for name, value in state.items() if name.startswith(start)]


def smp_node(name):
    """``level_column`` → smp's ``x_depth_layer``; its layers run from the deepest of five levels to the image's."""
    level, column = map(int, name.split("_"))
    layer = 4 - level
    return f"x_{layer + 1 - column}_{layer}"


def copy_weights(mine, theirs):
    state = mine.state_dict()
    pairs = []
    # Both list layers in the order of computation. smp's EfficientNet ends in a convolution that nothing uses.
    encoder = values(state, "encoder.")
    pairs += zip(encoder, values(theirs, "encoder.")[: len(encoder)], strict=True)
    if any(name.startswith("decoder.nodes") for name in state):
        for name in mine.decoder.nodes:
            node = values(theirs, f"decoder.blocks.{smp_node(name)}.")
            pairs += zip(values(state, f"decoder.nodes.{name}."), node, strict=True)
    else:
        pairs += zip(values(state, "decoder."), values(theirs, "decoder."), strict=True)
    pairs += zip(values(state, "heads."), values(theirs, "segmentation_head."), strict=True)
    assert len(pairs) == len(state)
    for one, other in pairs:
        one.copy_(other.reshape(one.shape))


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_a_composition_says_what_smp_says_with_the_same_weights(smp, name):
    encoder, decoder = CASES[name]
    saved = load_file(smp / f"{name}.safetensors")
    x, output = saved.pop("input"), saved.pop("output")
    theirs = {key.split()[1]: saved[key] for key in sorted(saved)}
    options = {"encoder": encoder, "decoder": decoder, "preset": "paper"}
    plan = NetworkPlan(architecture="encoder_decoder", dim=2, in_channels=3, heads=3, options=options)
    mine = build_network(fit_topology(plan)).eval()
    copy_weights(mine, theirs)
    torch.testing.assert_close(mine(x), output, rtol=1e-4, atol=1e-5 * output.abs().max().item())
