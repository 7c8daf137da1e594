import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network

WIDTHS = (8, 8, 16, 32, 64)
"""MONAI's last up-sampling keeps its width; with the first two alike that is the paper's layer."""


def plan(architecture="unet", dim=2, **changes):
    values = {
        "architecture": architecture,
        "dim": dim,
        "in_channels": 2,
        "heads": 3,
        "features": WIDTHS,
        "strides": ((1,) * dim, *((2,) * dim,) * 4),
        "kernels": ((3,) * dim,) * 5,
        "blocks": (2,) * 5,
        "decoder_blocks": (2,) * 4,
        "deep_supervision": False,
    }
    return NetworkPlan(**(values | changes))


def copy_stack(mine, theirs, *, up=0):
    """Weights of a stack of convolutions; MONAI puts the ``up`` channels of the up-sampled map last, we first."""
    layers = [[m for m in stack.modules() if isinstance(m, nn.modules.conv._ConvNd)] for stack in (mine, theirs)]
    for number, (one, other) in enumerate(zip(*layers, strict=True)):
        weight = other.weight
        if up and number == 0:
            weight = torch.cat([weight[:, -up:], weight[:, :-up]], dim=1)
        one.weight.copy_(weight)
    norms = [
        [m for m in stack.modules() if "Norm" in type(m).__name__ and hasattr(m, "eps")] for stack in (mine, theirs)
    ]
    for one, other in zip(*norms, strict=True):
        one.weight.copy_(other.weight)
        one.bias.copy_(other.bias)


@torch.no_grad()
@pytest.mark.parametrize("dim", [2, 3])
def test_the_unet_computes_what_monai_computes_with_the_same_weights(dim):
    theirs = BasicUNet(
        spatial_dims=dim,
        in_channels=2,
        out_channels=3,
        features=(*WIDTHS, WIDTHS[0]),
        act=("relu", {"inplace": True}),
        norm=("instance", {"affine": True}),
        bias=False,
    ).eval()
    mine = build_network(plan(dim=dim)).eval()
    for parameter in theirs.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    for stage, name in zip(mine.encoder.stages, ("conv_0", "down_1", "down_2", "down_3", "down_4"), strict=True):
        copy_stack(stage, getattr(theirs, name))
    for number, name in enumerate(("upcat_4", "upcat_3", "upcat_2", "upcat_1")):
        other = getattr(theirs, name)
        mine.decoder.ups[number].deconv.load_state_dict(other.upsample.deconv.state_dict())
        copy_stack(mine.decoder.levels[number], other.convs, up=WIDTHS[3 - number])
    mine.head.load_state_dict(theirs.final_conv.state_dict())
    x = torch.randn(1, 2, *(32,) * dim)
    torch.testing.assert_close(mine(x), theirs(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_sides_that_cannot_be_halved_are_cropped_at_the_end():
    network = build_network(plan()).eval()
    assert network(torch.randn(1, 2, 37, 51)).shape == (1, 3, 37, 51)


def test_deep_supervision_is_there_when_asked_for():
    network = build_network(plan(deep_supervision=True)).train()
    outputs = network(torch.randn(2, 2, 32, 48))
    assert [output.shape[2:] for output in outputs] == [(32, 48), (16, 24), (8, 12), (4, 6)]
