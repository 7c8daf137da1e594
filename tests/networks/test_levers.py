"""Levers give the gradients of the plain network; reversible stages take no more memory for being deeper."""

import copy

import pytest
import torch
from small_plan import small_network, small_window

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.reversible import ReversibleBlock, ReversibleSequence
from medarch.networks.build_network import build_network
from medarch.networks.conv_block import ConvBlock
from medarch.networks.levers.checkpoint_blocks import checkpoint_blocks, find_blocks
from medarch.networks.levers.offload_activations import offload_activations
from medarch.networks.registry import REGISTRY
from medarch.planning.memory.allocation import KINDS
from medarch.planning.memory.kernel_workspace import workspace_of
from medarch.planning.memory.storage_watch import StorageWatch

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SIZE = {2: (32, 32), 3: (8, 32, 32)}
FAMILIES = (
    "plain_unet",
    "residual_unet",
    "reversible_unet",
    "unetplusplus",
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "pyramid",
    "voxelmorph_diff",
)


def network_of(name, dim=3):
    torch.manual_seed(0)
    entry, options = REGISTRY[name], dict(REGISTRY[name].tiny)
    if entry.task == "segmentation":
        return build_network(small_network(name, dim=dim, in_channels=2, options=options)).train()
    return build_network(NetworkPlan(architecture=name, dim=dim, in_channels=2, heads=3, options=options)).train()


def step(network, image, *, context=None):
    """Outputs and gradients of a fixed loss, random numbers alike."""
    torch.manual_seed(1)
    with context if context is not None else torch.enable_grad():
        outputs = network(image)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else [part for part in outputs if part is not None]
        loss = sum(output.square().mean() for output in outputs)
    loss.backward()
    return [*(output.detach() for output in outputs), *(parameter.grad for parameter in network.parameters())]


def assert_equal(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert (one - other).abs().max() <= tolerance * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("how", ["selective", "blocks", "stages"])
@pytest.mark.parametrize("name", FAMILIES)
def test_checkpointed_networks_have_the_gradients_and_statistics_of_plain_ones(name, how):
    image = torch.randn(2, 2, *SIZE[3], dtype=torch.float64)
    plain = network_of(name).double()
    recomputed = copy.deepcopy(plain)
    assert checkpoint_blocks(recomputed, how) > 0
    assert_equal(step(recomputed, image), step(plain, image), 1e-10)
    for (key, found), expected in zip(recomputed.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(found, expected), key


@pytest.mark.parametrize("how", ["selective", "blocks", "stages"])
def test_checkpointed_gradients_are_equal_in_float32_too(how):
    image = torch.randn(2, 2, *SIZE[3])
    plain = network_of("plain_unet")
    recomputed = copy.deepcopy(plain)
    checkpoint_blocks(recomputed, how)
    assert_equal(step(recomputed, image), step(plain, image), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["selective", "blocks", "stages"])
@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_network_can_be_checkpointed(name, how):
    image = torch.randn(2, 2, *small_window(name, 2), dtype=torch.float64)
    plain = network_of(name, dim=2).double()
    recomputed = copy.deepcopy(plain)
    checkpoint_blocks(recomputed, how)
    assert_equal(step(recomputed, image), step(plain, image), 1e-10)


def test_blocks_lie_within_stages_and_miss_no_convolution_of_a_unet():
    network = network_of("plain_unet")
    stages, blocks = find_blocks(network, outermost=True), find_blocks(network, outermost=False)
    assert all(any(block in stage.modules() for stage in stages) for block in blocks)
    assert {id(block) for block in network.modules() if isinstance(block, ConvBlock)} == {id(block) for block in blocks}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [2, 3])
def test_the_reversible_unet_has_the_gradients_of_the_same_network_kept_whole(dim, dtype):
    image = torch.randn(2, 2, *SIZE[dim], dtype=dtype)
    reversible = network_of("reversible_unet", dim).to(dtype)
    plain = copy.deepcopy(reversible)
    for module in plain.modules():
        if isinstance(module, ReversibleSequence):
            module.reversible = False
    assert_equal(step(reversible, image), step(plain, image), TOLERANCE[dtype])


def test_reversible_blocks_are_computed_back_under_autocast_as_they_were_forwards():
    image = torch.randn(1, 8, 8, 8)
    reversible = sequence(3, dim=2)
    plain = copy.deepcopy(reversible)
    plain.reversible = False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = [network(image) for network in (reversible, plain)]
    for output in outputs:
        assert output.dtype == torch.float32
        output.square().mean().backward()
    for one, other in zip(reversible.parameters(), plain.parameters(), strict=True):
        if other.grad.abs().max() > 1e-3:
            assert torch.nn.functional.cosine_similarity(one.grad.flatten(), other.grad.flatten(), dim=0) > 0.99


def sequence(depth, *, dim=3, width=8):
    torch.manual_seed(0)
    kernel, one = (3,) * dim, (1,) * dim
    half = width // 2
    return ReversibleSequence(
        ReversibleBlock(*(ConvBlock(dim, half, half, kernel=kernel, stride=one) for _ in range(2)))
        for _ in range(depth)
    )


def peak_bytes(network, image):
    """Bytes of tensors beside weights and their gradients, as the program runs."""
    watch = StorageWatch(str, workspace_of("cpu"))
    for parameter in network.parameters():
        watch.adopt(parameter, "parameters", "")
    with watch:
        network(image).square().mean().backward()
    parts = dict.fromkeys(KINDS, 0)
    for allocation in watch.at_peak():
        parts[allocation.kind] += allocation.bytes
    return sum(parts.values()) - parts["parameters"]


def test_the_memory_of_a_reversible_stage_is_flat_in_its_depth():
    image = torch.randn(2, 8, 16, 16, 16)
    taken = {
        reversible: [peak_bytes(_kept(sequence(depth), reversible), image) for depth in (1, 4, 16)]
        for reversible in (True, False)
    }
    weights = 4 * sum(parameter.numel() for parameter in sequence(16).parameters())
    assert taken[True][2] <= taken[True][0] + 2 * weights
    assert taken[False][2] > 5 * taken[False][0]
    assert taken[True][2] < taken[False][2] / 4


def _kept(network, reversible):
    network.reversible = reversible
    return network


def test_offloaded_activations_give_the_same_gradients_and_lie_elsewhere():
    image = torch.randn(2, 2, 16, 64, 64, dtype=torch.float64)
    plain = network_of("plain_unet").double()
    offloaded = copy.deepcopy(plain)
    assert_equal(step(offloaded, image, context=offload_activations()), step(plain, image), 1e-10)
