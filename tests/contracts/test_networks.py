"""What the rest of the house expects of every network of the registry; a new one is tested by being registered."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_plan import small_network

from medarch.networks.build_network import build_network
from medarch.networks.conv_block import ConvBlock
from medarch.networks.registry import REGISTRY

PATCH = {2: (8, 16), 3: (4, 16, 16)}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
SEGMENTATION = sorted(name for name, entry in REGISTRY.items() if entry.task == "segmentation")
pytestmark = [pytest.mark.parametrize("architecture", SEGMENTATION), pytest.mark.parametrize("dim", [2, 3])]


def small_plan_of(architecture, dim, **changes):
    return small_network(architecture, dim=dim, in_channels=2, options=dict(REGISTRY[architecture].tiny), **changes)


def network_of(architecture, dim, **changes):
    """A network away from its start, where some weights are 0 on purpose."""
    generator = torch.Generator().manual_seed(0)
    network = build_network(small_plan_of(architecture, dim, **changes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def images(dim, batch=2):
    return torch.randn(batch, 2, *PATCH[dim], generator=torch.Generator().manual_seed(1))


def test_training_gives_the_output_of_the_images_size_first_and_none_is_finer(architecture, dim):
    outputs = network_of(architecture, dim).train()(images(dim))
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    assert all(output.shape[:2] == (2, 3) for output in outputs)
    sizes = [tuple(output.shape[2:]) for output in outputs]
    assert sizes[0] == PATCH[dim]
    assert sizes == sorted(sizes, reverse=True)


def test_without_deep_supervision_there_is_one_output(architecture, dim):
    output = network_of(architecture, dim, deep_supervision=False).train()(images(dim))
    assert output.shape == (2, 3, *PATCH[dim])


@torch.no_grad()
def test_evaluation_gives_the_finest_output_and_does_not_mix_samples(architecture, dim):
    network, x = network_of(architecture, dim).eval(), images(dim)
    both = network(x)
    assert both.shape == (2, 3, *PATCH[dim])
    torch.testing.assert_close(both[1:], network(x[1:]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_memory_layout_does_not_change_the_result(architecture, dim):
    network, x = network_of(architecture, dim).eval(), images(dim)
    plain = network(x)
    last = network.to(memory_format=LAYOUT[dim])(x.to(memory_format=LAYOUT[dim]))
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_weights_survive_a_file(architecture, dim, tmp_path):
    network, x = network_of(architecture, dim).eval(), images(dim)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    with torch.device("meta"):
        again = build_network(small_plan_of(architecture, dim))
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"), assign=True)
    assert torch.equal(again.eval()(x), network(x))


def test_every_parameter_matters(architecture, dim):
    network = network_of(architecture, dim).double().train()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # With the statistics of the batch it takes shifts before it out again; with running ones it does not.
            module.eval()
    outputs = network(images(dim).double())
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    # A shift just before an instance norm is taken out again by it; nnU-Net has these biases, so its weights fit.
    without_effect = {id(block[0].bias) for block in network.modules() if isinstance(block, ConvBlock)}
    dead = [
        name
        for name, parameter in network.named_parameters()
        if id(parameter) not in without_effect and (parameter.grad is None or (parameter.grad.abs() < 1e-9).all())
    ]
    assert dead == []
