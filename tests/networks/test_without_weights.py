"""Networks whose weights come from a file are built without drawing any."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from medarch.networks.without_weights import without_weights

BUILD = """
import sys, torch
from torch import nn
from medarch.networks.without_weights import without_weights
with {mode}:
    layer = nn.Conv3d(2, 3, 3)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.normal_(layer.bias)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize(("mode", "compiler"), [("without_weights()", "False"), ('torch.device("meta")', "True")])
def test_torchs_compiler_is_loaded_for_draws_alone(mode, compiler):
    command = [sys.executable, "-c", BUILD.format(mode=mode)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == compiler


def test_all_else_is_as_ever_and_weights_can_be_loaded():
    with without_weights():
        built = nn.Sequential(nn.Conv3d(2, 3, 3), nn.InstanceNorm3d(3, affine=True), nn.Linear(4, 2))
    expected = nn.Sequential(nn.Conv3d(2, 3, 3), nn.InstanceNorm3d(3, affine=True), nn.Linear(4, 2))
    assert all(parameter.is_meta for parameter in built.parameters())
    built.load_state_dict(expected.state_dict(), assign=True)
    for found, given in zip(built.parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, given)
