import pytest
import torch
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network, fit_topology


def transcription(weights, x, *, layers):
    """The paper's algorithm (section 3, figures 1 and 2), written with functions over a dictionary of weights, 2D."""
    left = iter(weights.values())

    def batch_norm(x):
        scale, shift, mean, variance, _ = (next(left) for _ in range(5))
        return F.batch_norm(x, mean, variance, scale, shift)

    def layer(x, padding):
        x = F.relu(batch_norm(x))
        return F.conv2d(x, next(left), next(left), padding=padding)

    depth = len(layers) // 2
    stem = F.conv2d(x, next(left), next(left), padding=1)
    stack, skips = stem, []
    # The state dictionary lists dense blocks down, then transitions down, transitions up, blocks up, and the head.
    names = list(weights)

    def part(prefix):
        nonlocal left
        left = iter([weights[name] for name in names if name.startswith(prefix)])

    for stage in range(depth + 1):
        if stage:
            part(f"pools.{stage - 1}.")
            stack = F.max_pool2d(layer(stack, 0), 2)
        part(f"down.{stage}.")
        new = []
        for _ in range(layers[stage]):
            made = layer(stack, 1)
            new.append(made)
            stack = torch.cat([stack, made], dim=1)
        skips.append(stack)
    for step in range(depth):
        part(f"ups.{step}.")
        raised = F.conv_transpose2d(
            torch.cat(new, dim=1), next(left), next(left), stride=2, padding=1, output_padding=1
        )
        stack = torch.cat([raised, skips[depth - 1 - step]], dim=1)
        part(f"up.{step}.")
        new = []
        for _ in range(layers[depth + 1 + step]):
            made = layer(stack, 1)
            new.append(made)
            stack = torch.cat([stack, made], dim=1)
    part("head.")
    return F.conv2d(stack, next(left), next(left))


def plan(**changes):
    values = {
        "architecture": "fc_densenet103",
        "dim": 2,
        "in_channels": 3,
        "heads": 4,
        "features": (8, 12, 20),
        "strides": ((1, 1), (2, 2), (2, 2)),
        "kernels": ((3, 3),) * 3,
        "blocks": (2, 3, 5),
        "decoder_blocks": (2, 4),
        "options": {"preset": "paper"},
    }
    return NetworkPlan(**(values | changes))


@torch.no_grad()
def test_the_network_computes_the_papers_algorithm():
    network = build_network(plan())
    network.train()(torch.randn(4, 3, 16, 16))  # moves the running statistics
    network.eval()
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(2, 3, 16, 24)
    expected = transcription(network.state_dict(), x, layers=(2, 3, 5, 4, 2))
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)


def test_features_that_layers_cannot_share_are_refused():
    with pytest.raises(PlanError, match="multiples of blocks"):
        build_network(plan(features=(9, 12, 20)))


@pytest.mark.parametrize(("width", "growth"), [(32, 16), (24, 12), (16, 8)])
def test_a_planned_network_keeps_the_pooling_and_grows_with_the_planned_width(width, growth):
    strides = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    planned = plan(
        dim=3, features=tuple(width * 2**stage for stage in range(4)), strides=strides, kernels=((3, 3, 3),) * 4,
        blocks=(2,) * 4, decoder_blocks=(2,) * 3, options={},
    )  # fmt: skip
    fitted = fit_topology(planned)
    assert fitted.strides == strides
    assert fitted.blocks == (4, 5, 7, 10)
    assert fitted.features == tuple(growth * layers for layers in (4, 5, 7, 10))
    assert not fitted.deep_supervision
    assert build_network(fitted).divisor == fitted.divisor == (4, 8, 8)
