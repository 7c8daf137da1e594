"""Gradients of kernels in bfloat16 against those in float32, where torch's own are garbage."""

import pytest
import torch

from medarch.networks.dimension import convolution

THIN = [((2, 4, 4), 3, 1), ((2, 8, 6), 3, 1), ((3, 4, 4), 5, 1), ((2, 6, 6), 3, 2)]
OTHERS = [((1, 4, 4), 3, 1), ((3, 4, 4), 3, 1), ((4, 2, 2), 3, 1)]


def gradient(layer, x, *, half):
    layer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        y = layer(x)
    y.float().square().mean().backward()
    return layer.weight.grad.clone()


@pytest.mark.parametrize(("size", "kernel", "stride"), THIN + OTHERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_the_gradient_in_bfloat16_is_that_of_float32(size, kernel, stride, layout):
    torch.manual_seed(0)
    layer = convolution(3)(32, 32, kernel, stride, kernel // 2).to(memory_format=layout)
    x = torch.randn(2, 32, *size).contiguous(memory_format=layout)
    whole, half = (gradient(layer, x, half=half) for half in (False, True))
    assert float((whole - half).norm() / whole.norm()) < 0.02


def test_only_thin_maps_are_computed_in_float32():
    layer = convolution(3)(16, 16, 3, 1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.randn(1, 16, 4, 4, 4)).dtype == torch.bfloat16
        assert layer(torch.randn(1, 16, 2, 4, 4)).dtype == torch.float32
        with torch.no_grad():
            assert layer(torch.randn(1, 16, 2, 4, 4)).dtype == torch.bfloat16
