"""What the rest of the house expects of every classifier of the registry; a new one is tested by being registered."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.build_network import build_network
from medarch.networks.registry import REGISTRY
from medarch.planning.network_cost import network_cost

ODD = {2: (33, 40), 3: (9, 33, 40)}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
CLASSIFIERS = sorted(name for name, entry in REGISTRY.items() if entry.task == "classification")
pytestmark = [pytest.mark.parametrize("architecture", CLASSIFIERS), pytest.mark.parametrize("dim", [2, 3])]


def plan_of(architecture, dim, **changes):
    options = dict(REGISTRY[architecture].tiny)
    return NetworkPlan(architecture=architecture, dim=dim, in_channels=2, heads=3, options=options, **changes)


def network_of(architecture, dim, **changes):
    """A network away from its start, where some weights are 0 or nearly so on purpose."""
    torch.manual_seed(0)
    network = build_network(plan_of(architecture, dim, **changes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network


def without_dropout(network):
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "probability"):
            module.probability = 0.0
    return network


def images(dim, batch=3):
    return torch.randn(batch, 2, *ODD[dim], generator=torch.Generator().manual_seed(1))


def outputs_of(network, image):
    found = network(image)
    return [found] if isinstance(found, torch.Tensor) else found


def anisotropic(architecture, dim):
    """Strides and kernels of a plan for thick slices: the first axis is left alone in the first two stages."""
    with torch.device("meta"):
        network = build_network(plan_of(architecture, dim))
    strides = network.encoder.strides if hasattr(network, "encoder") else ((2,) * dim,) * 2
    thin = tuple((1, *stride[1:]) if index < 2 else stride for index, stride in enumerate(strides))
    kernels = tuple((1, *(3,) * (dim - 1)) if index < 2 else (3,) * dim for index in range(len(strides)))
    return {"strides": thin, "kernels": kernels}


@pytest.mark.parametrize("thick", [False, True], ids=["isotropic", "thick slices"])
def test_odd_sizes_go_forward_and_every_parameter_matters(architecture, dim, thick):
    changes = anisotropic(architecture, dim) if thick else {}
    network = without_dropout(network_of(architecture, dim, **changes)).double().train()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # With the statistics of the batch it takes shifts before it out again; with running ones it does not.
            module.eval()
    outputs = outputs_of(network, images(dim).double())
    assert all(output.shape == (3, 3) for output in outputs)
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    dead = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not (parameter.grad.abs() > 1e-12).any()
    ]
    assert dead == []


@torch.no_grad()
def test_samples_are_not_mixed_and_there_is_one_output_in_evaluation(architecture, dim):
    network, image = network_of(architecture, dim).eval(), images(dim)
    together = network(image)
    torch.testing.assert_close(together[1:], network(image[1:]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_memory_layout_does_not_change_the_result(architecture, dim):
    network, image = network_of(architecture, dim).eval().double(), images(dim).double()
    plain = network(image)
    last = network.to(memory_format=LAYOUT[dim])(image.to(memory_format=LAYOUT[dim]))
    torch.testing.assert_close(plain, last)


@torch.no_grad()
def test_weights_survive_a_file(architecture, dim, tmp_path):
    network, image = network_of(architecture, dim).eval(), images(dim)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    with torch.device("meta"):
        again = build_network(plan_of(architecture, dim))
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"), assign=True)
    assert torch.equal(again.eval()(image), network(image))


@torch.no_grad()
def test_maps_have_the_sizes_and_channels_the_encoder_promises(architecture, dim):
    network = network_of(architecture, dim, **anisotropic(architecture, dim)).eval()
    if not hasattr(network, "encoder"):
        assert not REGISTRY[architecture].encoder
        return
    size = ODD[dim]
    for found, channels, stride in zip(
        network.encoder(images(dim)), network.encoder.channels, network.encoder.strides, strict=True
    ):
        size = tuple(-(-side // step) for side, step in zip(size, stride, strict=True))
        assert found.shape == (3, channels, *size)


def test_its_cost_can_be_told_without_data(architecture, dim):
    # The planner relies on it: no operation may look at values.
    cost = network_cost(plan_of(architecture, dim), ODD[dim])
    assert cost.parameters == sum(parameter.numel() for parameter in network_of(architecture, dim).parameters())
    assert cost.forward_flop > 0
    assert cost.training_bytes > 0


@torch.no_grad()
def test_a_slice_and_a_volume_of_28_go_through(architecture, dim):
    network = network_of(architecture, dim).eval()
    assert network(torch.randn(1, 2, *(28,) * dim)).shape == (1, 3)
    assert network(torch.randn(1, 2, 1, *(40,) * (dim - 1))).shape == (1, 3)


@torch.no_grad()
def test_half_precision_of_a_cpu_goes_through(architecture, dim):
    network = network_of(architecture, dim).eval().to(torch.bfloat16)
    assert network(images(dim).to(torch.bfloat16)).isfinite().all()


def test_the_preset_is_made_of_the_blocks_it_is_tested_with(architecture, dim):
    """The tiny network is the same family: no layer kind of the full one is missing in it."""
    with torch.device("meta"):
        small = build_network(plan_of(architecture, dim))
        full = build_network(NetworkPlan(architecture=architecture, dim=dim, in_channels=2, heads=3))
    kinds = [{type(module) for module in network.modules()} - {ConvNormActivation} for network in (small, full)]
    assert kinds[0] == kinds[1]
