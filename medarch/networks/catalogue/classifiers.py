"""Networks that give one logit a class and image."""

from __future__ import annotations

from collections.abc import Iterator

from medarch.networks.architecture import Architecture, Oracle, Paper

_FAMILIES = "medarch.networks.classify"
_POOLED = "medarch.networks.classify.pooled_classifier:pooled_classifier"
_LECUN = Paper("LeCun, Bottou, Bengio, Haffner", 1998, "doi:10.1109/5.726791")
_KRIZHEVSKY = Paper("Krizhevsky, Sutskever, Hinton", 2012, "doi:10.1145/3065386")
_TV = "torchvision 0.28.0"
_TIMM = "timm 1.0.22"
_GLOBAL_IN_3D = "fully connected layers see one mean a channel (option ending: grid for the published grid)"


def _first() -> Iterator[Architecture]:
    yield Architecture(
        name="mlp",
        task="classification",
        builder=f"{_FAMILIES}.mlp:mlp",
        paper=Paper("Rumelhart, Hinton, Williams", 1986, "doi:10.1038/323533a0"),
        oracle=Oracle(238_510, "computed", "784-300-10: 784·300 + 300 + 300·10 + 10", in_channels=1, heads=10),
        changed_for_3d="input averaged to 28 voxels along three axes; one layer sees them all",
        tiny={"grid": 4, "hidden": (6,)},
    )
    yield Architecture(
        name="lenet5_1998",
        task="classification",
        builder=f"{_FAMILIES}.lenet_1998:LeNet1998",
        paper=_LECUN,
        oracle=Oracle(
            60_000, "computed", "C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164", in_channels=1, heads=10
        ),
    )
    yield Architecture(
        name="lenet5",
        task="classification",
        builder=f"{_FAMILIES}.lenet:lenet",
        paper=_LECUN,
        oracle=Oracle(61_706, "run", "fully wired, 28×28", in_channels=1, heads=10),
    )
    one_tower = Paper("Krizhevsky", 2014, "arXiv:1404.5997")
    for name, paper, towers, widths, oracle in (
        ("alexnet", one_tower, 1, (64, 192, 384, 256, 256), Oracle(61_100_840, "run", _TV)),
        ("alexnet_2012", _KRIZHEVSKY, 2, (96, 256, 384, 384, 256), Oracle(60_965_224, "computed", "layer list")),
    ):
        yield Architecture(
            name=name,
            task="classification",
            builder=f"{_FAMILIES}.alexnet:AlexNet",
            settings={"widths": widths, "towers": towers},
            paper=paper,
            oracle=oracle,
            checked_against="torchvision" if towers == 1 else "",
            changed_for_3d=_GLOBAL_IN_3D,
            tiny={"widths": (4, 4, 6, 4, 4), "hidden": 6},
        )


def _vggs() -> Iterator[Architecture]:
    presets = (
        (11, (1, 1, 2, 2, 2), 132_863_336, 132_868_840),
        (13, (2, 2, 2, 2, 2), 133_047_848, 133_053_736),
        (16, (2, 2, 3, 3, 3), 138_357_544, 138_365_992),
        (19, (2, 2, 4, 4, 4), 143_667_240, 143_678_248),
    )
    for layers, depths, plain, normalised in presets:
        for suffix, norm, parameters in (("", "none", plain), ("_bn", "batch", normalised)):
            yield Architecture(
                name=f"vgg{layers}{suffix}",
                task="classification",
                builder=f"{_FAMILIES}.vgg:vgg",
                encoder=f"{_FAMILIES}.vgg:vgg_encoder",
                settings={"depths": depths, "norm": norm},
                paper=Paper("Simonyan, Zisserman", 2014, "arXiv:1409.1556"),
                oracle=Oracle(parameters, "run", _TV),
                checked_against="torchvision",
                changed_for_3d=_GLOBAL_IN_3D,
                tiny={"width": 0.125, "hidden": 12},
            )


def _googlenet() -> Iterator[Architecture]:
    yield Architecture(
        name="googlenet",
        task="classification",
        builder=f"{_FAMILIES}.googlenet:GoogLeNet",
        encoder=f"{_FAMILIES}.googlenet:googlenet_encoder",
        paper=Paper(
            "Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich", 2014, "arXiv:1409.4842"
        ),
        oracle=Oracle(13_004_888, "run", f"{_TV}, with auxiliary classifiers"),
        checked_against="torchvision",
        tiny={"width": 0.375, "hidden": 12},
    )


def _resnets() -> Iterator[Architecture]:
    presets = (
        ("resnet18", "basic", (2, 2, 2, 2), None, 11_689_512),
        ("resnet34", "basic", (3, 4, 6, 3), None, 21_797_672),
        ("resnet50", "bottleneck", (3, 4, 6, 3), None, 25_557_032),
        ("resnet101", "bottleneck", (3, 4, 23, 3), None, 44_549_160),
        ("resnet152", "bottleneck", (3, 8, 36, 3), None, 60_192_808),
        ("se_resnet50", "bottleneck", (3, 4, 6, 3), 16, 28_088_024),
    )
    for name, block, depths, reduction, parameters in presets:
        yield Architecture(
            name=name,
            task="classification",
            builder=_POOLED,
            encoder=f"{_FAMILIES}.resnet:resnet_encoder",
            settings={"block": block, "depths": depths, "reduction": reduction},
            paper=Paper("Hu, Shen, Albanie, Sun, Wu", 2017, "arXiv:1709.01507")
            if reduction
            else Paper("He, Zhang, Ren, Sun", 2015, "arXiv:1512.03385"),
            oracle=Oracle(parameters, "run", _TIMM if reduction else f"{_TV}, MONAI 1.6.1"),
            checked_against="timm" if reduction else "torchvision" + (", timm, MONAI" if name == "resnet18" else ""),
            tiny={"depths": (2, 1, 1, 1), "width": 0.125, "reduction": 4}
            if reduction
            else {"depths": (1, 1, 1, 1), "width": 0.0625},
        )


def _densenets() -> Iterator[Architecture]:
    presets = (
        ("densenet121", (6, 12, 24, 16), 32, 64, 7_978_856),
        ("densenet161", (6, 12, 36, 24), 48, 96, 28_681_000),
        ("densenet169", (6, 12, 32, 32), 32, 64, 14_149_480),
        ("densenet201", (6, 12, 48, 32), 32, 64, 20_013_928),
    )
    for name, depths, growth, stem, parameters in presets:
        yield Architecture(
            name=name,
            task="classification",
            builder=_POOLED,
            encoder=f"{_FAMILIES}.densenet:densenet_encoder",
            settings={"depths": depths, "growth": growth, "stem": stem},
            paper=Paper("Huang, Liu, van der Maaten, Weinberger", 2016, "arXiv:1608.06993"),
            oracle=Oracle(parameters, "run", _TV),
            checked_against="torchvision" + (", timm, MONAI" if name == "densenet121" else ""),
            tiny={"depths": (2, 2, 2, 2), "growth": 4, "stem": 8},
        )


def _mobilenets() -> Iterator[Architecture]:
    yield Architecture(
        name="mobilenet_v1",
        task="classification",
        builder=_POOLED,
        encoder=f"{_FAMILIES}.mobilenet_v1:mobilenet_v1_encoder",
        paper=Paper("Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam", 2017, "arXiv:1704.04861"),
        oracle=Oracle(4_231_976, "run", f"{_TIMM} mobilenetv1_100"),
        checked_against="timm",
        tiny={"width": 0.0625},
    )
    yield Architecture(
        name="mobilenet_v2",
        task="classification",
        builder=f"{_FAMILIES}.mobilenet_v2:mobilenet_v2",
        encoder=f"{_FAMILIES}.mobilenet_v2:mobilenet_v2_encoder",
        paper=Paper("Sandler, Howard, Zhu, Zhmoginov, Chen", 2018, "arXiv:1801.04381"),
        oracle=Oracle(3_504_872, "run", f"{_TV}, {_TIMM}"),
        checked_against="torchvision, timm",
        tiny={"width": 0.0625, "depth": 0.3, "last": 16},
    )


def _efficientnets() -> Iterator[Architecture]:
    presets = (
        ("b0", 1.0, 1.0, 0.2, 1e-5, 5_288_548),
        ("b1", 1.0, 1.1, 0.2, 1e-5, 7_794_184),
        ("b2", 1.1, 1.2, 0.3, 1e-5, 9_109_994),
        ("b3", 1.2, 1.4, 0.3, 1e-5, 12_233_232),
        ("b4", 1.4, 1.8, 0.4, 1e-5, 19_341_616),
        ("b5", 1.6, 2.2, 0.4, 1e-3, 30_389_784),
        ("b6", 1.8, 2.6, 0.5, 1e-3, 43_040_704),
        ("b7", 2.0, 3.1, 0.5, 1e-3, 66_347_960),
    )
    for name, width, depth, dropout, eps, parameters in presets:
        yield Architecture(
            name=f"efficientnet_{name}",
            task="classification",
            builder=f"{_FAMILIES}.efficientnet:efficientnet",
            encoder=f"{_FAMILIES}.efficientnet:efficientnet_encoder",
            settings={"width": width, "depth": depth, "dropout": dropout, "eps": eps},
            paper=Paper("Tan, Le", 2019, "arXiv:1905.11946"),
            oracle=Oracle(parameters, "run", f"{_TV}, {_TIMM}, MONAI 1.6.1"),
            checked_against="torchvision" + (", timm" if name == "b0" else ""),
            tiny={"width": 0.0625, "depth": 0.25, "last": 16},
        )


_V2_TABLES = {
    "s": ((1, 24, 2, 1), (4, 48, 4, 2), (4, 64, 4, 2), (4, 128, 6, 2), (6, 160, 9, 1), (6, 256, 15, 2)),
    "m": (
        *((1, 24, 3, 1), (4, 48, 5, 2), (4, 80, 5, 2), (4, 160, 7, 2), (6, 176, 14, 1), (6, 304, 18, 2)),
        (6, 512, 5, 1),
    ),
    "l": (
        *((1, 32, 4, 1), (4, 64, 7, 2), (4, 96, 7, 2), (4, 192, 10, 2), (6, 224, 19, 1), (6, 384, 25, 2)),
        (6, 640, 7, 1),
    ),
}
"""Expansion, channels, blocks, stride."""


def _efficientnets_v2() -> Iterator[Architecture]:
    for name, dropout, parameters in (("s", 0.2, 21_458_488), ("m", 0.3, 54_139_356), ("l", 0.4, 118_515_272)):
        yield Architecture(
            name=f"efficientnet_v2_{name}",
            task="classification",
            builder=f"{_FAMILIES}.efficientnet_v2:efficientnet_v2",
            encoder=f"{_FAMILIES}.efficientnet_v2:efficientnet_v2_encoder",
            settings={"table": _V2_TABLES[name], "dropout": dropout},
            paper=Paper("Tan, Le", 2021, "arXiv:2104.00298"),
            oracle=Oracle(parameters, "run", f"{_TV}, {_TIMM}"),
            checked_against="torchvision" + (", timm" if name == "s" else ""),
            tiny={"width": 0.0625, "depth": 0.1, "last": 16},
        )


def _convnexts() -> Iterator[Architecture]:
    presets = (
        ("tiny", (3, 3, 9, 3), (96, 192, 384, 768), 0.1, 28_589_128),
        ("small", (3, 3, 27, 3), (96, 192, 384, 768), 0.4, 50_223_688),
        ("base", (3, 3, 27, 3), (128, 256, 512, 1024), 0.5, 88_591_464),
        ("large", (3, 3, 27, 3), (192, 384, 768, 1536), 0.5, 197_767_336),
    )
    for name, depths, widths, drop, parameters in presets:
        yield Architecture(
            name=f"convnext_{name}",
            task="classification",
            builder=f"{_FAMILIES}.convnext:convnext",
            encoder=f"{_FAMILIES}.convnext:convnext_encoder",
            settings={"depths": depths, "widths": widths, "drop": drop},
            paper=Paper("Liu, Mao, Wu, Feichtenhofer, Darrell, Xie", 2022, "arXiv:2201.03545"),
            oracle=Oracle(parameters, "run", f"{_TV}, {_TIMM}"),
            checked_against="torchvision" + (", timm" if name == "tiny" else ""),
            tiny={"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)},
        )


CLASSIFIERS = (
    *_first(),
    *_vggs(),
    *_googlenet(),
    *_resnets(),
    *_densenets(),
    *_mobilenets(),
    *_efficientnets(),
    *_efficientnets_v2(),
    *_convnexts(),
)
