"""Where a classifier looked: against MONAI, and on a network whose answer is known."""

import pytest
import torch
from monai.visualize import GradCAM
from small_plan import small_classifier
from torch import nn

from medarch.inference.grad_cam import grad_cam
from medarch.networks.build_network import build_network


@pytest.mark.parametrize("dim", [2, 3])
def test_the_map_equals_monais_of_the_same_layer(dim):
    torch.manual_seed(0)
    network = build_network(small_classifier(dim=dim)).eval().requires_grad_(False)
    image = torch.randn(1, 1, *(16, 40, 32)[3 - dim :])
    # Stage 2 and those after it have 5 voxels along the longest axis, stage 1 has 10.
    peer = build_network(small_classifier(dim=dim)).eval()
    peer.load_state_dict(network.state_dict())
    cam = GradCAM(peer, target_layers="encoder.stages.1", postprocessing=lambda x: x, upsampler=_upsample(dim))
    seen = 0
    for index in range(3):
        found = grad_cam(network, image, [index])
        expected = cam(image, class_idx=index)[0, 0]
        seen += found.max() == 1
        assert torch.allclose(found, expected / expected.max().clamp_min(1e-12), atol=1e-5)
    assert seen


def _upsample(dim):
    mode = "trilinear" if dim == 3 else "bilinear"
    return lambda size: lambda x: nn.functional.interpolate(x, size=size, mode=mode, align_corners=False)


class Corner(nn.Module):
    """Says 1 for what is bright in its first channel."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv3d(1, 1, 1, bias=False)
        nn.init.ones_(self.features.weight)

    def forward(self, x):
        total = self.features(x).mean((2, 3, 4))
        return torch.cat([total, -total], dim=1)


def test_what_speaks_for_a_class_is_bright_and_what_speaks_against_it_is_dark():
    image = torch.zeros(1, 1, 8, 8, 8)
    image[..., :2, :2, :2] = 1.0
    towards = grad_cam(Corner().requires_grad_(False), image, [0])
    against = grad_cam(Corner().requires_grad_(False), image, [1])
    assert torch.equal(towards, image[0, 0])
    assert against.max() == 0


def test_the_network_is_left_as_it_was():
    network = build_network(small_classifier()).eval().requires_grad_(False)
    image = torch.randn(1, 1, 16, 32, 32)
    with torch.inference_mode():
        before = network(image)
    grad_cam(network, image, [0, 2])
    assert not any(module._forward_hooks for module in network.modules())
    with torch.inference_mode():
        assert torch.equal(network(image), before)
