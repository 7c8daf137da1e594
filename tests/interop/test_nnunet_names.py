"""Tensor names, both ways. That nnU-Net's own networks load them is a peer test of the export."""

import pytest
from small_plan import small_network

from medarch.core.errors import ModelError
from medarch.interop.nnunet_names import medarch_name, nnunet_names
from medarch.networks.build_network import build_network


@pytest.mark.parametrize("architecture", ["plain_unet", "residual_unet"])
def test_every_tensor_comes_back_from_each_of_its_names_and_no_two_share_one(architecture):
    # The first shortcut pools in one axis only, a later one changes no width, and the first stage pools nothing.
    plan = small_network(architecture, features=(4, 8, 8), blocks=(2, 3, 1))
    tensors = build_network(plan).state_dict()
    names = {name: nnunet_names(name, plan) for name in tensors}
    every = [each for group in names.values() for each in group]
    assert len(every) == len(set(every))
    assert {medarch_name(each, architecture): name for name, group in names.items() for each in group} == {
        name: name for name in tensors
    }


def test_an_encoder_tensor_has_four_names():
    assert nnunet_names("encoder.stages.1.0.1.weight", small_network()) == (
        "encoder.stages.1.0.convs.0.norm.weight",
        "encoder.stages.1.0.convs.0.all_modules.1.weight",
        "decoder.encoder.stages.1.0.convs.0.norm.weight",
        "decoder.encoder.stages.1.0.convs.0.all_modules.1.weight",
    )


def test_a_shortcut_behind_a_pooling_is_numbered_as_nnunet_does():
    plan = small_network("residual_unet")
    assert nnunet_names("encoder.stages.1.0.shortcut.1.weight", plan)[0] == (
        "encoder.stages.1.blocks.0.skip.1.conv.weight"
    )
    assert nnunet_names("encoder.stages.1.0.shortcut.2.bias", plan)[0] == "encoder.stages.1.blocks.0.skip.1.norm.bias"
    widened = small_network("residual_unet", strides=((1, 1, 1),) * 3)
    assert nnunet_names("encoder.stages.1.0.shortcut.1.weight", widened)[0] == (
        "encoder.stages.1.blocks.0.skip.0.norm.weight"
    )


@pytest.mark.parametrize("name", ["encoder.stages.0.0.convs.0.conv.weight2", "head.weight", ""])
def test_an_unknown_tensor_is_refused_by_name(name):
    with pytest.raises(ModelError, match="unknown tensor"):
        medarch_name(name, "plain_unet")
    with pytest.raises(ModelError, match="unknown tensor"):
        nnunet_names(name, small_network())


def test_a_network_that_nnunet_does_not_have_is_refused_by_name():
    with pytest.raises(ModelError, match="swin"):
        medarch_name("encoder.weight", "swin")
