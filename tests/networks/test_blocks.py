"""Facts about single blocks, most from ``shared/reference/architectures.md`` section 1a."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.networks.blocks.activation import ACTIVATIONS, activation
from medarch.networks.blocks.convnext import ConvNeXtBlock
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.dense import DenseBlock, Transition
from medarch.networks.blocks.depthwise_separable import DepthwiseSeparable
from medarch.networks.blocks.grid_pool import GridPool
from medarch.networks.blocks.inception import Inception
from medarch.networks.blocks.inverted_bottleneck import InvertedBottleneck, InvertedStyle
from medarch.networks.blocks.layer_norm import ChannelLayerNorm
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.patch_convolution import PatchConvolution
from medarch.networks.blocks.pool import AveragePool, GlobalPool, MaxPool, MaxPoolWithIndices, MaxUnpool
from medarch.networks.blocks.residual import EXPANSION, ResidualStyle, residual
from medarch.networks.blocks.squeeze_excitation import SqueezeExcitation
from medarch.networks.blocks.stochastic_depth import StochasticDepth
from medarch.networks.classify.compound_scale import compound_scale
from medarch.networks.stage_geometry import StageGeometry

DIMS = pytest.mark.parametrize("dim", [2, 3])


def geometry(dim, stride=2, flat=False):
    """A stage that strides along all axes but the first."""
    return StageGeometry((1, *(stride,) * (dim - 1)), (flat, *(False,) * (dim - 1)))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_has_the_gradient_it_computes(name):
    x = torch.tensor([-4.1, -2.3, -0.7, 0.3, 1.9, 3.7, 6.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: activation(name).double()(value * 1.0), x)


def test_swish_is_silu():
    x = torch.randn(10)
    torch.testing.assert_close(activation("silu")(x.clone()), x * torch.sigmoid(x))


@DIMS
def test_layer_norm_over_channels_equals_torchs_with_channels_last(dim):
    ours, theirs, x = ChannelLayerNorm(6), nn.LayerNorm(6, eps=1e-6), torch.randn(2, 6, *(3, 4, 5)[:dim])
    torch.testing.assert_close(ours(x), theirs(x.movedim(1, -1)).movedim(-1, 1))
    assert (ours(x) - nn.GroupNorm(1, 6)(x)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["batch", "instance", "group", "layer"])
@DIMS
def test_a_normalisation_keeps_the_shape_and_has_scale_and_shift(name, dim):
    layer, x = normalisation(name, 24, dim), torch.randn(2, 24, *(3, 4, 5)[:dim])
    assert layer(x).shape == x.shape
    assert count(layer) == 48


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(PlanError, match="batch"):
        normalisation("bacth", 4, 2)


@DIMS
@pytest.mark.parametrize(("kernel", "centred"), [(3, True), (3, False), (2, True)])
def test_pooling_rounds_up_and_takes_the_maximum_of_what_is_image(dim, kernel, centred):
    pool = MaxPool((kernel,) * dim, (2,) * dim, centred=centred)
    for size in range(1, 9):
        x = -torch.rand(1, 1, *(size,) * dim) - 1
        found = pool(x)
        assert found.shape[2:] == (-(-size // 2),) * dim
        assert found.max() == x.max()
        assert found.isfinite().all()


@DIMS
def test_average_pooling_of_a_constant_is_that_constant_at_every_size(dim):
    for size in range(1, 8):
        x = torch.full((1, 2, *(size,) * dim), 3.0)
        assert torch.equal(AveragePool((1, *(2,) * (dim - 1)))(x).unique(), torch.tensor([3.0]))


@DIMS
def test_unpooling_puts_each_maximum_back_where_it_came_from(dim):
    x = torch.randn(2, 3, *(5, 6, 7)[:dim])
    pooled, indices = MaxPoolWithIndices((2,) * dim)(x)
    back = MaxUnpool((2,) * dim)(pooled, indices, x.shape[2:])
    assert back.shape == x.shape
    assert torch.equal(back[back != 0], x[back != 0])
    assert (back != 0).sum() == pooled.numel()


@DIMS
@pytest.mark.parametrize("size", [1, 3, 4, 7, 11])
def test_grid_pooling_equals_adaptive_pooling(dim, size):
    x = torch.randn(2, 3, *(size,) * dim)
    theirs = F.adaptive_avg_pool3d if dim == 3 else F.adaptive_avg_pool2d
    torch.testing.assert_close(GridPool(4)(x), theirs(x, 4))


def test_global_pooling_takes_the_mean_or_the_maximum():
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(GlobalPool()(x), x.mean((2, 3)))
    torch.testing.assert_close(GlobalPool(maximum=True)(x), x.amax((2, 3)))


def test_squeeze_and_excitation_has_its_size_and_halves_with_gate_logits_of_0():
    block, x = SqueezeExcitation(8, 4), torch.randn(2, 8, 3, 3, 3)
    assert count(block) == 76
    nn.init.zeros_(block.excite.weight)
    nn.init.zeros_(block.excite.bias)
    torch.testing.assert_close(block(x), x / 2)


@DIMS
def test_a_convolution_of_kernel_1_is_a_linear_layer_on_channels(dim):
    conv, x = convolve(4, 6, (1,) * dim, bias=True), torch.randn(2, 4, *(3, 4, 5)[:dim])
    linear = nn.Linear(4, 6)
    linear.load_state_dict({"weight": conv.weight.flatten(1), "bias": conv.bias})
    torch.testing.assert_close(conv(x), linear(x.movedim(1, -1)).movedim(-1, 1))


@DIMS
@pytest.mark.parametrize("kind", ["basic", "bottleneck", "preactivation"])
@pytest.mark.parametrize("flat", [False, True])
def test_a_residual_block_strides_an_axis_at_a_time_and_can_be_the_identity(dim, kind, flat):
    style, x = ResidualStyle(kind), torch.randn(2, 8, *(3, 7, 8)[:dim])
    width = 8 // EXPANSION[kind]
    assert residual(style, 8, 8, geometry(dim, flat=flat))(x).shape[2:] == (3, 4, 4)[:dim]
    same = residual(style, 8, width, geometry(dim, 1, flat)).eval()
    last = [module for module in same.modules() if isinstance(module, nn.Conv2d | nn.Conv3d)][-1]
    nn.init.zeros_(last.weight)
    torch.testing.assert_close(same(x), x if kind == "preactivation" else x.relu())


@DIMS
def test_a_dense_block_keeps_what_it_was_given_and_a_transition_halves(dim):
    x = torch.randn(2, 8, *(3, 7, 8)[:dim])
    block = DenseBlock(8, 3, 4, geometry(dim, 1))
    assert block(x).shape[1] == block.channels == 20
    assert torch.equal(block(x)[:, :8], x)
    assert Transition(8, 4, geometry(dim))(x).shape == (2, 4, *(3, 4, 4)[:dim])


@DIMS
def test_depthwise_separable_convolution_has_a_fraction_of_the_weights(dim):
    block = DepthwiseSeparable(8, 16, geometry(dim))
    assert count(block) == 8 * 3**dim + 2 * 8 + 8 * 16 + 2 * 16
    assert block(torch.randn(2, 8, *(3, 7, 8)[:dim])).shape == (2, 16, *(3, 4, 4)[:dim])


@DIMS
@pytest.mark.parametrize("fused", [False, True])
def test_an_inverted_bottleneck_has_its_shortcut_only_where_the_shape_stays(dim, fused):
    style, x = InvertedStyle(expansion=4, fused=fused), torch.randn(2, 8, *(3, 7, 8)[:dim])
    same = InvertedBottleneck(8, 8, style, geometry(dim, 1)).eval()
    nn.init.zeros_(same.branch.project.conv.weight)
    torch.testing.assert_close(same(x), x)
    other = InvertedBottleneck(8, 8, style, geometry(dim))
    assert not other.shortcut
    assert other(x).shape == (2, 8, *(3, 4, 4)[:dim])


@DIMS
def test_inception_puts_its_branches_side_by_side(dim):
    block = Inception(8, (2, 3, 4, 1, 2, 3), geometry(dim, 1))
    assert block(torch.randn(2, 8, *(3, 7, 8)[:dim])).shape == (2, 11, *(3, 7, 8)[:dim])


@DIMS
def test_a_convnext_block_begins_as_nearly_the_identity(dim):
    x = torch.randn(2, 8, *(3, 7, 8)[:dim])
    torch.testing.assert_close(ConvNeXtBlock(8, geometry(dim, 1))(x), x, atol=1e-4, rtol=0)


@DIMS
@pytest.mark.parametrize("stride", [2, 4])
def test_patches_cover_images_of_any_size(dim, stride):
    conv = PatchConvolution(1, 2, 4, geometry(dim, stride))
    for size in range(1, 10):
        assert conv(torch.randn(1, 1, 3, *(size,) * (dim - 1))).shape == (1, 2, 3, *(-(-size // stride),) * (dim - 1))


def test_stochastic_depth_keeps_the_mean_and_drops_whole_samples():
    torch.manual_seed(0)
    layer = StochasticDepth(0.25).train()
    found = layer(torch.ones(4000, 2, 3))
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    assert found.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(layer.eval()(found), found)


def test_compound_scaling_doubles_the_cost_in_3d_and_is_the_papers_in_2d():
    flat, deep = compound_scale(1, 2), compound_scale(1, 3)
    assert (flat.depth, flat.width, flat.resolution) == (1.2, 1.1, 1.15)
    assert flat.cost == pytest.approx(1.920, abs=1e-3)
    assert deep.resolution == pytest.approx(1.1126, abs=1e-4)
    assert deep.cost == pytest.approx(2)
    assert compound_scale(3, 3).cost == pytest.approx(8)
