import pytest
import torch

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network, fit_topology

TINY = {"encoder": "resnet18", "encoder_options": {"depths": (1, 1, 1, 1), "width": 0.0625}}


def plan(**changes):
    """What the planner gives for thick slices."""
    values = {
        "architecture": "encoder_decoder",
        "dim": 3,
        "in_channels": 1,
        "heads": 3,
        "features": (4, 8, 16, 16),
        "strides": ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2)),
        "kernels": ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3)),
        "blocks": (2,) * 4,
        "decoder_blocks": (2,) * 3,
        "options": TINY,
    }
    return NetworkPlan(**(values | changes))


@pytest.mark.parametrize("decoder", ["unet", "unet++", "fcn"])
@pytest.mark.parametrize("preset", ["plan", "paper"])
def test_every_decoder_works_on_an_encoder_with_the_plans_strides(decoder, preset):
    asked = plan(options=TINY | {"decoder": decoder, "preset": preset})
    fitted = fit_topology(asked)
    network = build_network(fitted).train()
    assert network.divisor == fitted.divisor
    assert fitted.divisor == ((2, 8, 8) if preset == "plan" else (32, 32, 32))
    size = tuple(2 * side for side in fitted.divisor)
    logits = network(torch.randn(2, 1, *size))
    assert logits.shape == (2, 3, *size)
    logits.square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_a_plan_with_more_stages_than_the_encoder_is_cut_to_those_it_has():
    deep = plan(
        dim=2, features=(4, 8, 16, 16, 16, 16, 16), strides=((1, 1), *((2, 2),) * 6), kernels=((3, 3),) * 7,
        blocks=(2,) * 7, decoder_blocks=(2,) * 6,
    )  # fmt: skip
    fitted = fit_topology(deep)
    assert (len(fitted.strides), fitted.divisor) == (6, (32, 32))
    assert fit_topology(fitted) == fitted
    with pytest.raises(PlanError, match="stages"):
        build_network(deep)


def test_the_finest_skip_comes_from_the_image_unless_asked_otherwise():
    with_skip, without = (
        build_network(fit_topology(plan(options=TINY | {"image_skip": skip}))) for skip in (True, False)
    )
    assert with_skip.encoder.channels[0] == 4
    assert without.encoder.channels[0] == 0


def test_deep_supervision_gives_every_resolution_when_the_plan_asks():
    fitted = fit_topology(plan()).model_copy(update={"deep_supervision": True})
    outputs = build_network(fitted).train()(torch.randn(2, 1, 4, 16, 16))
    assert [tuple(output.shape[2:]) for output in outputs] == [(4, 16, 16), (4, 8, 8), (4, 4, 4)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"decoder": "segnet"}, "unet\\+\\+"),
        ({"preset": "papers"}, "plan, paper"),
        ({"encoder": "resnet81"}, "resnet18"),
        ({"encoder": "unet"}, "no stages"),
        ({"decodr": "unet"}, "decoder"),
        ({"norm": "bach"}, "batch"),
    ],
)
def test_a_wrong_option_is_told_what_is_right(options, told):
    with pytest.raises(PlanError, match=told):
        build_network(fit_topology(plan(options=TINY | options)))
