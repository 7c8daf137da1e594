"""What the rest of the house expects of every registration network; a new one is tested by being registered."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_plan import small_network

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network, fit_topology
from medarch.networks.conv_block import ConvBlock
from medarch.networks.motion.compose import compose
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.warp import warp
from medarch.networks.register.field_head import FieldHead
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.networks.registry import REGISTRY

SIZE = {2: (17, 22), 3: (9, 18, 13)}
"""No side is a multiple of anything."""
SPREAD = {"pyramid": 0.03}
"""Each of its levels adds to the field twice: with 0.05 it moves voxels by twice the image."""
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
NAMES = sorted(name for name, entry in REGISTRY.items() if entry.task == "registration")
DIFFEOMORPHIC = ("pyramid", "unet_register", "voxelmorph_diff")
DIMS = pytest.mark.parametrize("dim", [2, 3])
EVERY = pytest.mark.parametrize("architecture", NAMES)


def plan_of(architecture, dim, **options):
    """Anisotropic strides, as plans for thick slices have them."""
    options = dict(REGISTRY[architecture].tiny) | options
    return fit_topology(small_network(architecture, dim=dim, in_channels=4, options=options))


def network_of(architecture, dim, **options):
    """A network away from its start at the identity."""
    spread = SPREAD.get(architecture, 0.05)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = build_network(plan_of(architecture, dim, **options))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return network


@torch.no_grad()
def moving_network(architecture, dim, x, *, voxels, **options):
    """A network whose heads are scaled until it moves a pair by so many voxels at most."""
    network = network_of(architecture, dim, **options).eval()
    for _ in range(8):
        factor = float(voxels / network(x).abs().max())
        for head in network.modules():
            if isinstance(head, FieldHead):
                head.convolution.weight.mul_(factor)
                head.convolution.bias.mul_(factor)
    assert float(network(x).abs().max()) == pytest.approx(voxels, rel=0.2)
    return network


def smooth_pair(dim):
    """Two images with structure ten voxels wide."""
    mode = "trilinear" if dim == 3 else "bicubic"
    small = torch.randn(1, 4, *[5] * dim, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(small, [40] * dim, mode=mode, align_corners=True)


def pairs(dim, batch=2):
    """Two images of two channels each."""
    return torch.randn(batch, 4, *SIZE[dim], generator=torch.Generator().manual_seed(1))


@EVERY
@DIMS
def test_any_size_gives_a_field_of_that_size(architecture, dim):
    network, x = network_of(architecture, dim), pairs(dim)
    output = network.train()(x)
    assert isinstance(output, RegistrationOutput)
    assert output.displacement.shape == (2, dim, *SIZE[dim])
    assert output.penalised.shape[:2] == (2, dim)
    assert output.inverse is None or output.inverse.shape == output.displacement.shape
    found = network.eval()(x)
    torch.testing.assert_close(found, output.displacement)


@EVERY
@DIMS
def test_registration_starts_at_the_identity(architecture, dim):
    torch.manual_seed(0)
    output = build_network(plan_of(architecture, dim)).train()(pairs(dim))
    assert float(output.displacement.detach().abs().max()) < 0.05


@EVERY
@DIMS
@torch.no_grad()
def test_pairs_of_a_batch_are_not_mixed(architecture, dim):
    network, x = network_of(architecture, dim).eval(), pairs(dim)
    torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=1e-4, atol=1e-4)


@EVERY
@DIMS
@torch.no_grad()
def test_memory_layout_does_not_change_the_result(architecture, dim):
    network, x = network_of(architecture, dim).eval(), pairs(dim)
    plain = network(x)
    last = network.to(memory_format=LAYOUT[dim])(x.to(memory_format=LAYOUT[dim]))
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-3)


@EVERY
@DIMS
@torch.no_grad()
def test_weights_survive_a_file(architecture, dim, tmp_path):
    network, x = network_of(architecture, dim).eval(), pairs(dim)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    with torch.device("meta"):
        again = build_network(plan_of(architecture, dim))
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"), assign=True)
    assert torch.equal(again.eval()(x), network(x))


@EVERY
@DIMS
def test_every_parameter_matters(architecture, dim):
    network = network_of(architecture, dim).double().train()
    output = network(pairs(dim).double())
    sum((part * torch.randn_like(part)).sum() for part in output if part is not None).backward()
    # A shift just before an instance norm is taken out again by it.
    without_effect = {id(block[0].bias) for block in network.modules() if isinstance(block, ConvBlock)}
    dead = [
        name
        for name, parameter in network.named_parameters()
        if id(parameter) not in without_effect
        # Heads of a backbone's coarser levels, which nobody asks.
        and not (name.startswith("backbone.heads") and parameter.grad is None)
        and (parameter.grad is None or (parameter.grad.abs() < 1e-9).all())
    ]
    assert dead == []


@EVERY
@DIMS
@torch.no_grad()
def test_half_precision_gives_a_field_in_full(architecture, dim):
    network, x = network_of(architecture, dim).eval(), pairs(dim)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(x)
    assert found.dtype == torch.float32
    assert float((found - network(x)).abs().max()) < 0.1 * float(network(x).abs().max()) + 0.05


def test_gradients_in_bfloat16_are_those_of_float32_down_to_two_voxels():
    """Where torch's own gradients of kernels are garbage on CPUs: the coarsest map is two voxels thick."""
    x = torch.nn.functional.interpolate(smooth_pair(3), (32, 48, 32))
    network = moving_network("pyramid", 3, x, voxels=3).train()
    found = []
    for half in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            output = network(x)
        output.displacement.square().mean().backward()
        found.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.98


@pytest.mark.parametrize("architecture", DIFFEOMORPHIC)
@DIMS
@torch.no_grad()
def test_diffeomorphic_networks_do_not_fold_and_know_the_way_back(architecture, dim):
    x = smooth_pair(dim)
    output = moving_network(architecture, dim, x, voxels=3, bidirectional=True).train()(x)
    assert float(jacobian_determinant(output.displacement).min()) > 0
    middle = (slice(None), slice(None), *(slice(5, -5),) * dim)
    error = compose(output.displacement, output.inverse)[middle].abs().mean()
    # A random network gives rough fields: what is left is what linear interpolation leaves.
    assert float(error) < 0.12 * float(output.displacement.abs().mean())
    assert float(error) < 0.8 * float(compose(output.displacement, -output.displacement)[middle].abs().mean())


@DIMS
@torch.no_grad()
def test_an_affine_network_knows_the_way_back(dim):
    x = smooth_pair(dim)
    output = network_of("affine_register", dim).train()(x)
    assert float(output.displacement.abs().max()) > 1
    middle = (slice(None), slice(None), *(slice(12, -12),) * dim)
    assert float(compose(output.displacement, output.inverse)[middle].abs().max()) < 1e-3


@EVERY
def test_training_finds_a_known_motion(architecture):
    """A blob and the same blob two voxels further: fifty steps on the difference of the images."""
    torch.manual_seed(0)
    place = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"))

    def blob(row, column):
        return torch.exp(-((place[0] - row) ** 2 + (place[1] - column) ** 2) / 40)[None, None]

    fixed, moving = blob(16, 15), blob(18, 16)
    plan = NetworkPlan(
        architecture=architecture, dim=2, in_channels=2, heads=2, options=dict(REGISTRY[architecture].tiny)
    )
    network = build_network(plan).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(50):
        output = network(torch.cat([fixed, moving], 1))
        loss = (warp(moving, output.displacement) - fixed).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    with torch.no_grad():
        found = network.eval()(torch.cat([fixed, moving], 1))
    inside = fixed[0, 0] > 0.5
    assert float(found[0, 0][inside].mean()) == pytest.approx(2, abs=0.7)


@EVERY
def test_an_odd_number_of_channels_is_no_pair(architecture):
    with pytest.raises(PlanError, match="an even number"):
        build_network(NetworkPlan(architecture=architecture, dim=3, in_channels=3, heads=3))


def test_a_backbone_has_to_be_as_large_as_the_image():
    plan = NetworkPlan(architecture="unet_register", dim=3, in_channels=2, heads=3, options={"backbone": "resnet18"})
    with pytest.raises(PlanError, match="segmentation network"):
        build_network(plan)


@pytest.mark.parametrize("backbone", ["residual_unet", "unet", "unetplusplus", "encoder_decoder"])
def test_encoder_decoders_of_the_registry_serve_as_backbones(backbone):
    options = {"backbone": backbone, "backbone_options": dict(REGISTRY[backbone].tiny), "width": 4}
    planned = fit_topology(small_network("unet_register", dim=3, in_channels=2, options=options))
    with torch.no_grad():
        found = build_network(planned).eval()(torch.randn(1, 2, 9, 18, 13))
    assert found.shape == (1, 3, 9, 18, 13)
