import math

import pytest
import torch
from torch import nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.segment.bilinear_deconvolution import bilinear_deconvolution
from medarch.networks.segment.fully_connected_as_convolution import fully_connected_as_convolution


@torch.no_grad()
@pytest.mark.parametrize("dim", [2, 3])
def test_fully_connected_layers_as_convolutions_say_of_one_crop_what_the_classifier_says(dim):
    sides = (5, 3, 3)[-dim:]
    plan = NetworkPlan(
        architecture="fcn32s",
        dim=dim,
        in_channels=2,
        heads=3,
        features=(4, 6, 10),
        strides=((1,) * dim, (2,) * dim, (2,) * dim),
        kernels=((3,) * dim, (3,) * dim, sides),
        blocks=(1, 2, 2),
        decoder_blocks=(1, 1),
        options={"preset": "paper"},
    )
    network = build_network(plan).eval()
    *body, classifier = network.encoder.encoder.stages[-1]
    flat = nn.Sequential(
        nn.Flatten(), nn.Linear(6 * math.prod(sides), 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3)
    )
    layers = [layer for layer in flat if isinstance(layer, nn.Linear)]
    found = [fully_connected_as_convolution(layers[0], map_size=sides)]
    found += [fully_connected_as_convolution(layer, map_size=(1,) * dim) for layer in layers[1:]]
    places = [layer for layer in (*classifier, network.decoder.scores[0]) if isinstance(layer, nn.Conv2d | nn.Conv3d)]
    for place, layer in zip(places, found, strict=True):
        place.load_state_dict(layer.state_dict())
    crop = torch.randn(2, 2, *(4 * side for side in sides))
    features = network.encoder.encoder.stages[0](crop)
    for layer in body:
        features = layer(features)
    expected = flat(features)
    deepest = network.encoder(crop)[-1]
    middle = (..., *(side // 2 for side in sides))
    torch.testing.assert_close(network.decoder.scores[0](deepest)[middle], expected, rtol=1e-5, atol=1e-6)


def test_a_layer_that_takes_no_such_map_is_refused():
    with pytest.raises(PlanError, match="odd sides"):
        fully_connected_as_convolution(nn.Linear(64, 2), map_size=(4, 4))


@torch.no_grad()
@pytest.mark.parametrize("stride", [(2, 2), (4, 8), (3, 1), (1, 2, 4), (2, 3, 2)])
@pytest.mark.parametrize("dense", [True, False])
def test_a_new_deconvolution_goes_on_with_a_ramp(stride, dense):
    layer = bilinear_deconvolution(len(stride), 2, stride=stride, dense=dense)
    coarse = torch.zeros(1, 2, *(6,) * len(stride))
    fine = torch.zeros(1, 2, *(6 * step for step in stride))
    for axis, step in enumerate(stride):
        shape = [-1 if other == axis else 1 for other in range(len(stride))]
        coarse += (axis + 1) * torch.arange(6.0).view(shape)
        # The middle of a coarse voxel is the middle of the fine ones it covers.
        fine += (axis + 1) * ((torch.arange(6.0 * step) + 0.5) / step - 0.5).view(shape)
    coarse[:, 1] *= -1
    fine[:, 1] *= -1
    inner = (..., *(slice(step, -step) for step in stride))
    result = layer(coarse)
    assert result.shape == fine.shape
    torch.testing.assert_close(result[inner], fine[inner], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_skips_begin_without_effect_so_that_fcn_16s_starts_as_fcn_32s():
    values = {
        "dim": 2,
        "in_channels": 1,
        "heads": 2,
        "features": (4, 4, 4, 4),
        "strides": ((1, 1), *((2, 2),) * 3),
        "kernels": ((3, 3),) * 4,
        "blocks": (1,) * 4,
        "decoder_blocks": (1,) * 3,
    }
    fcn = build_network(NetworkPlan(architecture="fcn8s", **values)).eval()
    x = torch.randn(1, 1, 24, 24)
    logits = fcn(x)
    for score in fcn.decoder.scores[1:]:
        score.weight.fill_(1.0)
    assert not torch.allclose(fcn(x), logits)
    deepest = fcn.decoder.scores[0](fcn.encoder(x)[-1])
    for up in fcn.decoder.ups:
        deepest = up(deepest)
    torch.testing.assert_close(deepest, logits)
