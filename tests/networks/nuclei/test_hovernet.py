"""HoVerNet: geometry, windows, weights of others."""

import pytest
import torch
from torch import nn

from medarch.core.errors import ModelError, PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.nuclei.hovernet import HoVerNet
from medarch.networks.weights.fit_weights import fit_weights
from medarch.networks.weights.parameter_groups import find_encoder

SMALL = {"width": 0.125, "depths": (1, 2, 1, 1)}


def make_mean_preserving(network):
    """Every convolution becomes a mean of what it sees: gradients then show where a map looks, whatever the weights."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    return network.double().eval()


def shift_of(stage_map, image, factor):
    """Distance in image pixels between where a voxel of a map looks and where the decoder will put it."""
    shifts = []
    axes = range(2, image.dim())
    centre = tuple(size // 2 for size in stage_map.shape[2:])
    [seen] = torch.autograd.grad(stage_map[(0, slice(None), *centre)].sum(), image, retain_graph=True)
    seen = seen[0].sum(0)
    for axis, position in zip(axes, centre, strict=True):
        profile = seen.sum([other - 2 for other in axes if other != axis])
        centroid = (profile * torch.arange(len(profile))).sum() / profile.sum()
        along = factor[axis - 2] if isinstance(factor, tuple) else factor
        placed = (position + 0.5) * along - 0.5
        shifts.append(float(centroid) - placed)
    return shifts


@pytest.mark.parametrize(("dim", "window"), [(2, 256), (2, 320), (3, 40)])
def test_every_stage_looks_where_the_decoder_puts_it(dim, window):
    network = make_mean_preserving(HoVerNet(dim, 3, 1, width=0.125, depths=(1, 2, 1, 1) if dim == 2 else (1, 1, 1, 1)))
    image = torch.ones(1, 3, *(window,) * dim, dtype=torch.float64, requires_grad=True)
    for number, stage_map in enumerate(network.encoder(image)):
        assert shift_of(stage_map, image, 2**number) == pytest.approx([0.0] * dim, abs=1e-3)


THICK = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (1, 2, 2))
"""Strides of voxels that are longer along the first axis."""


def test_an_axis_of_longer_voxels_is_pooled_less_and_nothing_moves():
    plan = NetworkPlan(
        architecture="hovernet",
        dim=3,
        in_channels=1,
        heads=1,
        strides=THICK,
        options={"width": 0.125, "depths": [1] * 4},
    )
    network = make_mean_preserving(build_network(plan))
    image = torch.ones(1, 1, 24, 40, 40, dtype=torch.float64, requires_grad=True)
    factors = [(1, 1, 1), (1, 2, 2), (2, 4, 4), (2, 8, 8)]
    for factor, stage_map in zip(factors, network.encoder(image), strict=True):
        assert shift_of(stage_map, image, factor) == pytest.approx([0.0] * 3, abs=1e-3)
    assert network(image).shape == (1, 5, 24, 40, 40)
    with pytest.raises(PlanError, match="multiples of 2×8×8"):
        network.output_voxels((9, 40, 40))


@pytest.mark.parametrize(
    ("strides", "padded"), [(THICK, False), (THICK[:3], True), (((1, 2, 2), *THICK[1:]), True), (((1, 1),) * 4, True)]
)
def test_strides_that_do_not_suit_are_refused(strides, padded):
    with pytest.raises(PlanError, match="strides"):
        HoVerNet(3, 1, 1, strides=strides, padded=padded, **SMALL)


def test_monai_looks_elsewhere():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.networks.nets import HoVerNet as Theirs
    network = make_mean_preserving(Theirs(mode="fast"))
    image = torch.ones(1, 3, 128, 128, dtype=torch.float64, requires_grad=True)
    x = network.conv0(image)
    shifts = []
    for number, block in enumerate(network.res_blocks):
        block.layers = block.layers[:1]  # the others move nothing
        x = block(x)
        shifts.append(shift_of(x, image, 2**number))
    assert shifts[0] == pytest.approx([0.0, 0.0], abs=1e-3)
    for found, expected in zip(shifts[1:], (-1.5, -4.5, -10.5), strict=True):
        assert found == pytest.approx([expected] * 2, abs=1e-2)


@pytest.mark.parametrize(
    ("mode", "window", "output"),
    [("fast", 256, 164), ("fast", 136, 44), ("fast", 512, 420), ("original", 270, 80), ("original", 198, 8)],
)
def test_the_output_is_the_middle_of_any_window_that_fits(mode, window, output):
    network = HoVerNet(2, 3, 4, mode=mode, **SMALL).eval()
    assert network.output_voxels((window, window + 8)) == (output, output + 8)
    with torch.no_grad():
        assert network(torch.rand(1, 3, window, window + 8)).shape == (1, 8, output, output + 8)


@torch.no_grad()
def test_tiles_of_one_grid_give_the_same_as_a_larger_window():
    # Away from the zeros that the encoder pads its windows with.
    torch.manual_seed(0)
    network = HoVerNet(2, 3, 3, width=0.125, depths=(1, 1, 1, 1)).double().eval()
    image = torch.rand(1, 3, 288, 288, dtype=torch.float64)
    whole = network(image)
    part = network(image[..., 16:272, 16:272])
    difference = (whole[..., 16:-16, 16:-16] - part).abs()
    middle = difference[..., 60:-60, 60:-60].max()
    assert middle < 1e-9 < difference.max()


@pytest.mark.parametrize(("dim", "window"), [(2, (64, 96)), (3, (16, 24, 32))])
def test_padded_decoders_keep_the_size_and_3d_has_three_distances(dim, window):
    plan = NetworkPlan(architecture="hovernet", dim=dim, in_channels=2, heads=5, options={**SMALL, "padded": True})
    output = build_network(plan).train()(torch.rand(2, 2, *window))
    assert output.shape == (2, 2 + dim + 5, *window)
    output.square().sum().backward()


def test_without_types_there_is_no_third_decoder_and_3d_pads_by_itself():
    flat = build_network(NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=1, options=SMALL))
    solid = build_network(NetworkPlan(architecture="hovernet", dim=3, in_channels=1, heads=1, options=SMALL))
    assert sorted(flat.branches) == ["distances", "nuclei"]
    assert (flat.margin_voxels, solid.margin_voxels) == (46, 0)


@pytest.mark.parametrize(
    ("mode", "window"), [("fast", (100, 128)), ("fast", (88, 88)), ("original", (256, 256)), ("original", (190, 190))]
)
def test_a_window_that_does_not_fit_is_refused(mode, window):
    with pytest.raises(PlanError, match="multiples of 8"):
        HoVerNet(2, 3, 1, mode=mode, **SMALL)(torch.rand(1, 3, *window))


@pytest.mark.parametrize("options", [{"mode": "quick"}, {"width": 0.1}, {"width": 0.01}])
def test_settings_that_build_nothing_are_refused(options):
    with pytest.raises(PlanError):
        HoVerNet(2, 3, 1, **options)


def test_a_resnet50_starts_the_encoder():
    from monai.networks.nets import ResNet

    theirs = ResNet(
        "bottleneck", [3, 4, 6, 3], [64, 128, 256, 512], spatial_dims=2, n_input_channels=3, bias_downsample=False
    )
    weights = theirs.state_dict()
    network = build_network(NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=1))
    report = fit_weights(network, weights)
    assert report.share > 0.99
    encoder = find_encoder(network)
    stages = encoder.stages
    assert torch.equal(stages[0].stem.conv.weight, weights["conv1.weight"])
    assert torch.equal(stages[2].units[5].conv2.weight, weights["layer3.5.conv2.weight"])
    assert torch.equal(stages[1].units[2].norm0.weight, weights["layer2.1.bn3.weight"])
    assert torch.equal(stages[3].norm.running_var, weights["layer4.2.bn3.running_var"])
    assert torch.equal(stages[0].body.shortcut.weight, weights["layer1.0.downsample.0.weight"])
    assert not [name for name in report.matched if not name.startswith("encoder.")]


def test_weights_of_another_network_are_refused():
    network = build_network(NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=1, options=SMALL))
    with pytest.raises(ModelError):
        fit_weights(network, {"d0.units.0.conv1.weight": torch.zeros(8, 8, 1, 1)})
