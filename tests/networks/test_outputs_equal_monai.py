"""MONAI's networks, with their traps put right, give what ours give with the same weights, in 2D and 3D."""

import re
import warnings

import pytest
import torch

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.weights.fit_weights import fit_weights

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.networks.nets import DenseNet121, ResNet


def ours(name, dim, **options):
    return build_network(NetworkPlan(architecture=name, dim=dim, in_channels=2, heads=3, options=options)).eval()


def monai_resnet(dim, **changes):
    """ResNet-18 with the paper's stride and projections, and no biases."""
    values = {"shortcut_type": "B", "bias_downsample": False, "conv1_t_stride": 2} | changes
    return ResNet(
        "basic", [2, 2, 2, 2], [64, 128, 256, 512], spatial_dims=dim, n_input_channels=2, num_classes=3, **values
    ).eval()


@pytest.mark.parametrize("dim", [2, 3])
@torch.no_grad()
def test_resnet_equals_monai(dim):
    torch.manual_seed(0)
    theirs, network, image = monai_resnet(dim), ours("resnet18", dim), torch.randn(2, 2, *(37, 41, 50)[:dim])
    assert fit_weights(network, theirs.state_dict()).share == 1
    torch.testing.assert_close(network(image), theirs(image), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_monai_with_its_own_defaults_computes_something_else():
    torch.manual_seed(0)
    theirs, network, image = monai_resnet(2, conv1_t_stride=1), ours("resnet18", 2), torch.randn(2, 2, 64, 64)
    fit_weights(network, theirs.state_dict())
    assert (network(image) - theirs(image)).abs().max() > 0.05 * theirs(image).abs().max()


def test_monai_resnet18_cuts_the_gradient_of_its_shortcuts_and_ours_does_not():
    torch.manual_seed(0)
    for network, layer in ((monai_resnet(2, shortcut_type="A"), "layer2"), (ours("resnet18", 2), "encoder.stages.2")):
        stage = network.get_submodule(layer)
        image = torch.randn(1, 64, 8, 8, requires_grad=True)
        block = stage[0]
        torch.nn.init.zeros_((block.bn2 if layer == "layer2" else block.norm2).weight)
        block(image).sum().backward()
        assert (image.grad.abs().max() > 0) == (layer != "layer2")


@pytest.mark.parametrize("dim", [2, 3])
@torch.no_grad()
def test_densenet_equals_monai(dim):
    torch.manual_seed(0)
    theirs = DenseNet121(spatial_dims=dim, in_channels=2, out_channels=3).eval()
    weights = {}
    for name, tensor in theirs.state_dict().items():
        torchvision = re.sub(r"denselayer(\d+)\.layers\.", r"denselayer\1.", name)
        weights[torchvision.replace("class_layers.out", "classifier")] = tensor
    network, image = ours("densenet121", dim), torch.randn(2, 2, *(64, 64, 32)[:dim])
    assert fit_weights(network, weights).share == 1
    torch.testing.assert_close(network(image), theirs(image), rtol=1e-5, atol=1e-5)
