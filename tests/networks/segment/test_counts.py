"""Sizes of the published networks, counted from the papers' layer lists or in other implementations."""

import pytest
import torch

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network

PAPER = {"preset": "paper"}
RESNET34 = {"encoder": "resnet34", **PAPER}


def size(architecture, in_channels, heads, options):
    plan = NetworkPlan(architecture=architecture, dim=2, in_channels=in_channels, heads=heads, options=options)
    with torch.device("meta"):
        network = build_network(plan)
    return network, sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("architecture", "in_channels", "heads", "options", "parameters"),
    [
        ("unet", 1, 2, PAPER, 31_030_658),
        ("unetplus", 3, 1, PAPER, 8_728_932),
        ("unetplusplus", 3, 1, PAPER, 9_042_276),
        ("fc_densenet56", 3, 11, PAPER, 1_376_795),
        ("fc_densenet67", 3, 11, PAPER, 3_463_243),
        ("fc_densenet103", 3, 11, PAPER, 9_322_091),
        ("encoder_decoder", 3, 1, RESNET34 | {"decoder": "unet"}, 24_436_369),
        ("encoder_decoder", 3, 1, RESNET34 | {"decoder": "unet++"}, 26_078_609),
    ],
)
def test_a_published_network_has_its_published_size(architecture, in_channels, heads, options, parameters):
    assert size(architecture, in_channels, heads, options)[1] == parameters


def test_a_unet_of_half_the_width_is_the_baseline_of_the_unetplusplus_paper():
    plan = NetworkPlan(
        architecture="unet",
        dim=2,
        in_channels=3,
        heads=1,
        features=(32, 64, 128, 256, 512),
        strides=((1, 1), *((2, 2),) * 4),
        kernels=((3, 3),) * 5,
        blocks=(2,) * 5,
        decoder_blocks=(2,) * 4,
        deep_supervision=False,
        options=PAPER,
    )
    with torch.device("meta"):
        network = build_network(plan)
    assert sum(parameter.numel() for parameter in network.parameters()) == 7_760_097


@pytest.mark.parametrize(
    ("architecture", "without", "with_deconvolutions"),
    [
        ("fcn32s", 134_346_581, 136_152_917),
        ("fcn16s", 134_357_354, 134_815_994),
        ("fcn8s", 134_362_751, 134_489_759),
    ],
)
def test_an_fcn_is_vgg16_with_scores_and_deconvolutions(architecture, without, with_deconvolutions):
    network, parameters = size(architecture, 3, 21, PAPER)
    deconvolutions = sum(parameter.numel() for parameter in network.decoder.ups.parameters())
    assert (parameters - deconvolutions, parameters) == (without, with_deconvolutions)


def test_the_eff_unet_is_that_of_smp_without_the_convolution_that_smp_never_uses():
    # smp's encoder keeps EfficientNet's last 1×1 convolution, 320 → 1280, and its batch norm, behind its last skip.
    unused = 320 * 1280 + 2 * 1280
    assert size("eff_unet", 3, 1, {"encoder": "efficientnet_b0", **PAPER})[1] == 6_251_469 - unused
