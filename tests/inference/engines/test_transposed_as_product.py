import copy

import pytest
import torch
from torch import nn

from medarch.inference.engines.transposed_as_product import transposed_as_product


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 2), (3, 1, 2)])
@torch.no_grad()
def test_three_dimensional_layers_say_what_torch_says(stride, bias, layout):
    layer = nn.ConvTranspose3d(5, 4, stride, stride, bias=bias).double()
    x = torch.randn(2, 5, 4, 3, 6, dtype=torch.float64).contiguous(memory_format=layout)
    mine = copy.deepcopy(layer)
    transposed_as_product(mine)
    torch.testing.assert_close(mine(x), layer(x), rtol=1e-12, atol=1e-12)
    assert mine(x).is_contiguous(memory_format=torch.channels_last_3d)


@torch.no_grad()
def test_two_dimensional_layers_too_and_overlapping_ones_stay():
    network = nn.Sequential(nn.ConvTranspose2d(3, 6, 2, 2), nn.ConvTranspose2d(6, 2, 4, 2, padding=1)).double()
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    mine = copy.deepcopy(network)
    transposed_as_product(mine)
    torch.testing.assert_close(mine(x), network(x), rtol=1e-12, atol=1e-12)
