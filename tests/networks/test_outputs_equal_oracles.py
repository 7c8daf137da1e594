"""Networks with the weights of torchvision's and timm's give what those give."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.weights.fit_weights import fit_weights

PYTHON = os.environ.get("MEDARCH_ORACLE_PYTHON")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON, reason="MEDARCH_ORACLE_PYTHON names no python with torchvision and timm"),
]
ORACLES = {
    "alexnet": ["torchvision:alexnet"],
    "vgg11": ["torchvision:vgg11"],
    "vgg16_bn": ["torchvision:vgg16_bn"],
    "googlenet": ["torchvision:googlenet"],
    "resnet18": ["torchvision:resnet18", "timm:resnet18"],
    "resnet50": ["torchvision:resnet50"],
    "se_resnet50": ["timm:seresnet50"],
    "densenet121": ["torchvision:densenet121", "timm:densenet121"],
    "densenet161": ["torchvision:densenet161"],
    "mobilenet_v1": ["timm:mobilenetv1_100"],
    "mobilenet_v2": ["torchvision:mobilenet_v2", "timm:mobilenetv2_100"],
    "efficientnet_b0": ["torchvision:efficientnet_b0", "timm:efficientnet_b0"],
    "efficientnet_b3": ["torchvision:efficientnet_b3"],
    "efficientnet_b5": ["torchvision:efficientnet_b5"],
    "efficientnet_v2_s": ["torchvision:efficientnet_v2_s", "timm:efficientnetv2_s"],
    "efficientnet_v2_m": ["torchvision:efficientnet_v2_m"],
    "convnext_tiny": ["torchvision:convnext_tiny", "timm:convnext_tiny"],
}
OPTIONS = {"timm:efficientnetv2_s": {"eps": 1e-5}}
"""timm's batch normalisation adds another number to the variance than torchvision's."""


@pytest.mark.parametrize(
    ("name", "oracle"), [(name, oracle) for name, oracles in ORACLES.items() for oracle in oracles]
)
@torch.no_grad()
def test_outputs_equal_the_oracle_with_its_weights(name, oracle, tmp_path):
    script = Path(__file__).with_name("oracle_outputs.py")
    subprocess.run([PYTHON, script, tmp_path, oracle], check=True, capture_output=True, text=True, timeout=600)
    [file] = tmp_path.glob("*.safetensors")
    weights = load_file(file)
    file.unlink()
    image, expected = weights.pop(".input"), weights.pop(".output")
    options = OPTIONS.get(oracle, {})
    network = build_network(NetworkPlan(architecture=name, dim=2, in_channels=3, heads=1000, options=options))
    report = fit_weights(network, weights)
    assert report.share == 1.0
    assert (report.unused, report.missing, report.resized) == ((), (), ())
    assert expected.std() > 1e-3
    deviation = (network.eval()(image) - expected).abs().max() / expected.abs().max()
    sys.stdout.write(f"{oracle}: {deviation:.1e}\n")
    assert deviation < 1e-5
