"""Instance normalisation of channels-last tensors against float64."""

import pytest
import torch
from torch.nn import functional as F

from medarch.networks.instance_norm import InstanceNorm

LAYOUTS = {2: torch.channels_last, 3: torch.channels_last_3d}


def norm(channels):
    torch.manual_seed(4)
    layer = InstanceNorm(channels)
    torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    torch.nn.init.normal_(layer.bias)
    return layer


def exact(layer, x):
    weight, bias = layer.weight.double(), layer.bias.double()
    return F.instance_norm(x.double(), weight=weight, bias=bias, eps=layer.eps)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 16, 64, 60, 70), (3, 5, 9, 7, 11), (2, 48, 33, 35), (1, 3000, 2, 2, 1)])
def test_sums_over_many_voxels_stay_exact(shape):
    """Half of the image is air: one value, whose rounding errors all have one sign; and means far from zero."""
    layer = norm(shape[1])
    x = 5 + torch.randn(shape) * torch.linspace(0.1, 3, shape[1]).view(1, -1, *[1] * (len(shape) - 2))
    x[:, :, : shape[2] // 2] = 0.37
    x = x.to(memory_format=LAYOUTS[len(shape) - 2])
    found = layer(x)
    assert found.is_contiguous(memory_format=LAYOUTS[len(shape) - 2])
    torch.testing.assert_close(found.double(), exact(layer, x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_bfloat16_loses_only_its_own_last_digit():
    layer = norm(16).bfloat16()
    x = torch.randn(1, 16, 64, 60, 70).add(2).bfloat16().to(memory_format=torch.channels_last_3d)
    # Half a unit in the last of eight binary digits.
    torch.testing.assert_close(layer(x).double(), exact(layer, x), rtol=2**-8, atol=1e-5)


@torch.no_grad()
def test_the_input_is_left_alone():
    x = torch.randn(2, 4, 5, 6, 7).to(memory_format=torch.channels_last_3d)
    before = x.clone()
    norm(4)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("shape", [(2, 6, 7, 5, 4), (3, 4, 9, 8)])
@pytest.mark.parametrize("way", ["forward", "_samples_as_channels"], ids=["of this device", "of a GPU"])
def test_an_activation_in_place_behind_it_costs_no_copies_and_gradients_are_right(shape, way):
    """In place on a view, autograd would copy the whole gradient twice."""
    layer = norm(shape[1])
    x = torch.randn(shape, requires_grad=True)
    found = F.leaky_relu_(getattr(layer, way)(x), 0.01)
    assert "LeakyRelu" in type(found.grad_fn).__name__
    gradient = torch.randn(shape)
    found.backward(gradient)
    mine = [x.grad, layer.weight.grad.clone(), layer.bias.grad.clone()]
    layer.zero_grad()
    other = x.detach().double().requires_grad_()
    expected = F.leaky_relu(exact(layer, other), 0.01)
    expected.backward(gradient.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    for one, two in zip(mine, [other.grad, layer.weight.grad, layer.bias.grad], strict=True):
        torch.testing.assert_close(one.double(), two.double(), rtol=1e-4, atol=1e-4)
