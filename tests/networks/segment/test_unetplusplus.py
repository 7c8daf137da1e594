import pytest
import torch
from monai.networks.nets import BasicUNetPlusPlus
from test_unet_2015 import WIDTHS, copy_stack, plan

from medarch.core.errors import PlanError
from medarch.networks.build_network import build_network


@torch.no_grad()
@pytest.mark.parametrize("dim", [2, 3])
def test_all_four_heads_say_what_monai_says_with_the_same_weights(dim):
    theirs = BasicUNetPlusPlus(
        spatial_dims=dim,
        in_channels=2,
        out_channels=3,
        features=(*WIDTHS, WIDTHS[0]),
        deep_supervision=True,
        act=("relu", {"inplace": True}),
        norm=("instance", {"affine": True}),
        bias=False,
    )
    mine = build_network(plan("unetplusplus", dim, deep_supervision=True))
    for parameter in theirs.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    for level, stage in enumerate(mine.encoder.stages):
        copy_stack(stage, getattr(theirs, f"conv_{level}_0"))
    for name, node in mine.decoder.nodes.items():
        level, column = map(int, name.split("_"))
        other = getattr(theirs, f"upcat_{level}_{column}")
        mine.decoder.ups[name].deconv.load_state_dict(other.upsample.deconv.state_dict())
        copy_stack(node, other.convs, up=WIDTHS[level])
        first, width = node[0].conv.weight, WIDTHS[level]
        # MONAI counts the columns of the level upwards, we from the last.
        blocks = first[:, width:].split(width, dim=1)
        first.copy_(torch.cat([first[:, :width], *blocks[::-1]], dim=1))
    for number, head in enumerate(mine.heads):
        head.load_state_dict(getattr(theirs, f"final_conv_0_{4 - number}").state_dict())
    x = torch.randn(1, 2, *(32,) * dim)
    expected = theirs(x)[::-1]
    outputs = mine.train()(x)
    assert len(outputs) == len(expected) == 4
    for output, other in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("architecture", ["unetplus", "unetplusplus"])
def test_a_pruned_network_gives_the_heads_own_output_and_computes_nothing_deeper(architecture):
    network = build_network(plan(architecture, deep_supervision=True))
    x = torch.randn(1, 2, 32, 32)
    whole = network.train()(x)
    network.eval()
    ran = []
    for name, module in (*network.encoder.stages.named_children(), *network.decoder.nodes.named_children()):
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    for depth in (1, 2, 3, 4):
        ran.clear()
        network.prune(depth)
        torch.testing.assert_close(network(x), whole[4 - depth])
        nodes = {tuple(map(int, name.split("_"))) for name in ran if "_" in name}
        stages = {int(name) for name in ran if "_" not in name}
        assert stages == set(range(depth + 1))
        assert nodes == {(i, j) for i in range(depth) for j in range(1, depth + 1 - i)}
        torch.testing.assert_close(network.head(network.features(x)), network(x))


def test_the_plan_can_ask_for_a_pruned_network_with_the_same_weights():
    whole = build_network(plan("unetplusplus", deep_supervision=True)).eval()
    pruned = build_network(plan("unetplusplus", deep_supervision=True, options={"prune": 2})).eval()
    pruned.load_state_dict(whole.state_dict())
    x = torch.randn(1, 2, 32, 32)
    whole.prune(2)
    assert torch.equal(pruned(x), whole(x))


@pytest.mark.parametrize(("changes", "depth"), [({"deep_supervision": True}, 5), ({"deep_supervision": False}, 2)])
def test_a_depth_without_a_trained_head_is_refused(changes, depth):
    with pytest.raises(PlanError, match="no head at depth"):
        build_network(plan("unetplusplus", **changes, options={"prune": depth}))


def test_unetplus_nodes_see_one_skip_and_unetplusplus_nodes_all():
    plus, plusplus = (build_network(plan(name)).decoder.nodes["0_4"][0].conv for name in ("unetplus", "unetplusplus"))
    assert plus.in_channels == 2 * WIDTHS[0]
    assert plusplus.in_channels == 5 * WIDTHS[0]
