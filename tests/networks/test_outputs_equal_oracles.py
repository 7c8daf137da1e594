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
from medarch.networks.registry import REGISTRY
from medarch.networks.weights.fit_weights import fit_weights

PYTHON = os.environ.get("MEDARCH_ORACLE_PYTHON")
SAME_NAME = (
    *(
        "alexnet",
        "googlenet",
        "mobilenet_v2",
        *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    ),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
    *(f"efficientnet_b{number}" for number in range(8)),
    *(f"efficientnet_v2_{size}" for size in "sml"),
    *(f"convnext_{size}" for size in ("tiny", "small", "base", "large")),
)
"""Networks that torchvision calls what medarch calls them."""
ORACLES = (
    *((name, f"torchvision:{name}") for name in SAME_NAME),
    ("resnet18", "timm:resnet18"),
    ("se_resnet50", "timm:seresnet50"),
    ("densenet121", "timm:densenet121"),
    ("mobilenet_v1", "timm:mobilenetv1_100"),
    ("mobilenet_v2", "timm:mobilenetv2_100"),
    ("efficientnet_b0", "timm:efficientnet_b0"),
    ("efficientnet_v2_s", "timm:efficientnetv2_s"),
    ("convnext_tiny", "timm:convnext_tiny"),
)
OPTIONS = {"timm:efficientnetv2_s": {"eps": 1e-5}}
"""timm's batch normalisation adds another number to the variance than torchvision's."""


def test_the_registry_claims_the_oracles_that_are_run_here():
    claimed = {
        (name, library)
        for name, entry in REGISTRY.items()
        for library in ("torchvision", "timm")
        if library in entry.checked_against
    }
    assert claimed == {(name, oracle.split(":")[0]) for name, oracle in ORACLES}


@pytest.mark.peer
@pytest.mark.skipif(not PYTHON, reason="MEDARCH_ORACLE_PYTHON names no python with torchvision and timm")
@pytest.mark.parametrize(("name", "oracle"), ORACLES)
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
