import pytest
import torch

from medarch.networks.residual_block import ResidualBlock


@pytest.mark.parametrize("dim", [2, 3])
def test_a_strided_block_runs_in_bfloat16_on_a_cpu(dim):
    torch.manual_seed(0)
    block = ResidualBlock(dim, 2, 4, kernel=(3,) * dim, stride=(2,) * dim)
    image = torch.randn(1, 2, *(8,) * dim)
    exact = block(image)
    rough = block.to(torch.bfloat16)(image.to(torch.bfloat16))
    assert rough.dtype == torch.bfloat16
    assert rough.shape == (1, 4, *(4,) * dim)
    assert torch.allclose(rough.float(), exact, atol=0.1)
