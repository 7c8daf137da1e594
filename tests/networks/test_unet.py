import pytest
import torch

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.instance_norm import InstanceNorm


def unet(architecture="plain_unet", *, stages=4, in_channels=1, heads=3, dim=3, base=32, cap=320, **changes):
    residual = architecture == "residual_unet"
    values = {
        "architecture": architecture,
        "dim": dim,
        "in_channels": in_channels,
        "heads": heads,
        "features": tuple(min(base * 2**i, cap) for i in range(stages)),
        "strides": ((1,) * dim,) + ((2,) * dim,) * (stages - 1),
        "kernels": ((3,) * dim,) * stages,
        "blocks": (1, 3, 4, 6, 6, 6, 6)[:stages] if residual else (2,) * stages,
        "decoder_blocks": ((1,) if residual else (2,)) * (stages - 1),
    }
    return NetworkPlan(**(values | changes))


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("plan", "parameters"),
    [
        (unet(stages=6, in_channels=4, heads=4), 31_199_796),
        (unet(), 5_603_177),
        (unet("residual_unet", stages=6, in_channels=4, heads=4), 102_353_972),
    ],
)
def test_parameter_counts_equal_nnunet(plan, parameters):
    with torch.device("meta"):
        assert count(build_network(plan)) == parameters


@pytest.mark.parametrize("architecture", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize("dim", [2, 3])
def test_deep_supervision_gives_one_output_a_resolution_and_gradients_everywhere(architecture, dim):
    network = build_network(
        unet(architecture, dim=dim, base=4, strides=((1,) * dim, (2,) * dim, (1, *(2,) * (dim - 1)), (2,) * dim))
    )
    outputs = network(torch.randn(2, 1, *(8, 16, 16)[:dim]))
    assert outputs[0].shape[2:] == (8, 16, 16)[:dim]
    assert len(outputs) == 3
    sum(output.square().mean() for output in outputs).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.eval()
    assert network(torch.randn(1, 1, *(8, 16, 16)[:dim])).shape == (1, 3, *(8, 16, 16)[:dim])


def test_channels_last_inference_equals_contiguous():
    network = build_network(unet(base=8)).eval()
    x = torch.randn(2, 1, 16, 16, 16)
    with torch.no_grad():
        plain = network(x)
        last = network.to(memory_format=torch.channels_last_3d)(x.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-4)


def test_instance_norm_equals_torch():
    ours, theirs = InstanceNorm(3), torch.nn.InstanceNorm3d(3, affine=True)
    torch.nn.init.uniform_(ours.weight)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(ours(x), theirs(x))
    with torch.no_grad():
        torch.testing.assert_close(ours(x.to(memory_format=torch.channels_last_3d)), theirs(x), rtol=1e-4, atol=1e-5)


def test_an_unknown_architecture_names_the_nearest():
    with pytest.raises(PlanError, match="plain_unet"):
        build_network(unet("plane_unet"))


def test_a_topology_that_does_not_fit_is_refused():
    with pytest.raises(PlanError, match="does not fit"):
        build_network(unet(strides=((1, 1, 1), (2, 2, 2))))
