"""Networks that give one logit a class and voxel."""

from __future__ import annotations

from collections.abc import Iterator

from medarch.networks.architecture import Architecture, Oracle, Paper

_UNET = "medarch.networks.unet:UNet"
_SIX_STAGES = {
    "features": (32, 64, 128, 256, 320, 320),
    "strides": ((1, 1, 1),) + ((2, 2, 2),) * 5,
    "kernels": ((3, 3, 3),) * 6,
}

_SEGMENT = "medarch.networks.segment"
_COMPOSED = f"{_SEGMENT}.composed:composed"
_COMPOSED_TOPOLOGY = f"{_SEGMENT}.composed:composed_topology"
_TINY_RESNET = {"encoder": "resnet18", "encoder_options": {"depths": (1, 1, 1, 1), "width": 0.0625}}
_ZHOU = Paper("Zhou, Siddiquee, Tajbakhsh, Liang", 2018, "arXiv:1807.10165")


def _fcns() -> Iterator[Architecture]:
    counts = ((0, "fcn32s", 136_152_917), (1, "fcn16s", 134_815_994), (2, "fcn8s", 134_489_759))
    for skips, name, parameters in counts:
        yield Architecture(
            name=name,
            task="segmentation",
            builder=f"{_SEGMENT}.fcn:fcn",
            topology=f"{_SEGMENT}.fcn:fcn_topology",
            settings={"skips": skips},
            paper=Paper("Shelhamer, Long, Darrell", 2017, "arXiv:1605.06211"),
            oracle=Oracle(
                parameters,
                "computed",
                "VGG-16 body, 21 classes, learnable deconvolutions without bias",
                3,
                21,
                options={"preset": "paper"},
            ),
            changed_for_3d="deconvolutions of 64³ are per class, not for every pair of classes",
        )


def _fc_densenets() -> Iterator[Architecture]:
    presets = (
        ("fc_densenet56", 12, (4, 4, 4, 4, 4, 4), 1_376_795),
        ("fc_densenet67", 16, (5, 5, 5, 5, 5, 5), 3_463_243),
        ("fc_densenet103", 16, (4, 5, 7, 10, 12, 15), 9_322_091),
    )
    for name, growth, layers, parameters in presets:
        yield Architecture(
            name=name,
            task="segmentation",
            builder=f"{_SEGMENT}.fc_densenet:FCDenseNet",
            topology=f"{_SEGMENT}.fc_densenet:fc_densenet_topology",
            settings={"growth": growth, "layers": layers},
            paper=Paper("Jégou, Drozdzal, Vázquez, Romero, Bengio", 2017, "arXiv:1611.09326"),
            oracle=Oracle(
                parameters, "computed", "table 1 of the paper, 11 classes", 3, 11, options={"preset": "paper"}
            ),
            checked_against="a transcription of the paper's algorithm in the tests",
        )


def _composed() -> Iterator[Architecture]:
    yield Architecture(
        name="encoder_decoder",
        task="segmentation",
        builder=_COMPOSED,
        topology=_COMPOSED_TOPOLOGY,
        settings={"encoder": "resnet34", "decoder": "unet"},
        paper=_ZHOU,
        oracle=Oracle(
            26_078_609,
            "run",
            "segmentation_models_pytorch 0.6.0 UnetPlusPlus",
            3,
            1,
            options={"decoder": "unet++", "preset": "paper"},
        ),
        checked_against="segmentation_models_pytorch",
        tiny=_TINY_RESNET,
    )
    yield Architecture(
        name="eff_unet",
        task="segmentation",
        builder=_COMPOSED,
        topology=_COMPOSED_TOPOLOGY,
        settings={"encoder": "efficientnet_b0", "decoder": "unet"},
        paper=Paper("Baheti, Innani, Gajre, Talbar", 2020, "doi:10.1109/CVPRW50498.2020.00187"),
        checked_against="segmentation_models_pytorch",
        tiny={"encoder_options": {"width": 0.0625, "depth": 0.3}},
    )


SEGMENTATION = (
    Architecture(
        name="plain_unet",
        task="segmentation",
        builder=_UNET,
        settings={"residual": False},
        paper=Paper("Isensee, Jaeger, Kohl, Petersen, Maier-Hein", 2021, "doi:10.1038/s41592-020-01008-z"),
        oracle=Oracle(
            31_199_796,
            "run",
            "nnU-Net 2.8.1 PlainConvUNet",
            in_channels=4,
            heads=4,
            topology={"dim": 3, **_SIX_STAGES, "blocks": (2,) * 6, "decoder_blocks": (2,) * 5},
        ),
        checked_against="nnU-Net 2.8.1",
        changed_for_3d="nothing: published in 2D and 3D",
    ),
    Architecture(
        name="residual_unet",
        task="segmentation",
        builder=_UNET,
        settings={"residual": True},
        paper=Paper("Isensee, Wald, Ulrich, Baumgartner, Roy, Maier-Hein, Jaeger", 2024, "arXiv:2404.09556"),
        oracle=Oracle(
            102_353_972,
            "run",
            "nnU-Net 2.8.1 ResidualEncoderUNet",
            in_channels=4,
            heads=4,
            topology={"dim": 3, **_SIX_STAGES, "blocks": (1, 3, 4, 6, 6, 6), "decoder_blocks": (1,) * 5},
        ),
        checked_against="nnU-Net 2.8.1",
        changed_for_3d="nothing: published in 2D and 3D",
    ),
    *_fcns(),
    Architecture(
        name="unet",
        task="segmentation",
        builder=f"{_SEGMENT}.unet_2015:unet_2015",
        topology=f"{_SEGMENT}.unet_2015:unet_2015_topology",
        paper=Paper("Ronneberger, Fischer, Brox", 2015, "arXiv:1505.04597"),
        oracle=Oracle(31_030_658, "computed", "figure 1 of the paper", 1, 2, options={"preset": "paper"}),
        checked_against="MONAI BasicUNet",
    ),
    *_fc_densenets(),
    Architecture(
        name="unetplus",
        task="segmentation",
        builder=f"{_SEGMENT}.unetplusplus:UNetPlusPlus",
        topology=f"{_SEGMENT}.unetplusplus:unetplusplus_topology",
        settings={"dense": False},
        paper=Paper("Zhou, Siddiquee, Tajbakhsh, Liang", 2020, "arXiv:1912.05074"),
        oracle=Oracle(8_728_932, "computed", "paper (8.7 M)", 3, 1, options={"preset": "paper"}),
    ),
    Architecture(
        name="unetplusplus",
        task="segmentation",
        builder=f"{_SEGMENT}.unetplusplus:UNetPlusPlus",
        topology=f"{_SEGMENT}.unetplusplus:unetplusplus_topology",
        settings={"dense": True},
        paper=_ZHOU,
        oracle=Oracle(9_042_276, "computed", "paper (9.04 M)", 3, 1, options={"preset": "paper"}),
        checked_against="MONAI BasicUNetPlusPlus",
    ),
    Architecture(
        name="reversible_unet",
        task="segmentation",
        builder=f"{_SEGMENT}.reversible_unet:reversible_unet",
        topology=f"{_SEGMENT}.reversible_unet:reversible_unet_topology",
        paper=Paper("Brügger, Baumgartner, Konukoglu", 2019, "arXiv:1906.06148"),
        changed_for_3d="nothing: published in 3D",
    ),
    *_composed(),
)
