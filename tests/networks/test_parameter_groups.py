import pytest
import torch

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.registry import REGISTRY
from medarch.networks.weights.parameter_groups import find_encoder, parameter_groups


def network(name="resnet18"):
    options = dict(REGISTRY[name].tiny)
    return build_network(NetworkPlan(architecture=name, dim=2, in_channels=1, heads=2, options=options))


def test_by_default_all_parameters_learn_alike_in_one_group():
    built = network()
    [group] = parameter_groups(built, learning_rate=0.1)
    assert [id(parameter) for parameter in group["params"]] == [id(parameter) for parameter in built.parameters()]
    assert (group["lr"], group["lr_scale"]) == (0.1, 1)


def test_each_stage_learns_at_a_share_of_the_next_ones_rate_and_frozen_ones_not_at_all():
    built = network()
    groups = parameter_groups(built, learning_rate=0.1, frozen_stages=2, layer_decay=0.5)
    assert [group["lr_scale"] for group in groups] == [0.125, 0.25, 0.5, 1]
    assert [group["lr"] for group in groups] == pytest.approx([0.0125, 0.025, 0.05, 0.1])
    stage = {id(parameter) for parameter in built.encoder.stages[4].parameters()}
    assert {id(parameter) for parameter in groups[2]["params"]} == stage
    assert {id(parameter) for parameter in groups[3]["params"]} == {
        id(parameter) for parameter in built.head.parameters()
    }
    frozen = {name for name, parameter in built.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in built.named_parameters() if ".stages.0." in name or ".stages.1." in name}
    torch.optim.SGD(groups, lr=0.1)


@pytest.mark.parametrize("name", ["eff_unet", "unetplusplus"])
def test_the_encoder_inside_a_segmentation_network_is_found(name):
    encoder = find_encoder(network(name))
    assert len(encoder.stages) >= 4


@pytest.mark.parametrize(("name", "stages"), [("resnet18", 6), ("mlp", 1)])
def test_more_frozen_stages_than_there_are_is_refused(name, stages):
    with pytest.raises(PlanError, match="frozen_stages"):
        parameter_groups(network(name), learning_rate=0.1, frozen_stages=stages)
