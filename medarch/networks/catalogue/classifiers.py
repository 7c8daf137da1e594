"""Networks that give one logit a class and image."""

from __future__ import annotations

from collections.abc import Iterator

from medarch.networks.architecture import Architecture, Oracle, Paper

_FAMILIES = "medarch.networks.classify"
_POOLED = "medarch.networks.classify.pooled_classifier:pooled_classifier"
_HE = Paper("He, Zhang, Ren, Sun", 2015, "arXiv:1512.03385")


def _resnets() -> Iterator[Architecture]:
    presets = (
        ("resnet18", "basic", (2, 2, 2, 2), 11_689_512),
        ("resnet34", "basic", (3, 4, 6, 3), 21_797_672),
        ("resnet50", "bottleneck", (3, 4, 6, 3), 25_557_032),
        ("resnet101", "bottleneck", (3, 4, 23, 3), 44_549_160),
        ("resnet152", "bottleneck", (3, 8, 36, 3), 60_192_808),
    )
    for name, block, depths, parameters in presets:
        yield Architecture(
            name=name,
            task="classification",
            builder=_POOLED,
            encoder=f"{_FAMILIES}.resnet:resnet_encoder",
            settings={"block": block, "depths": depths},
            paper=_HE,
            oracle=Oracle(parameters, "run", "torchvision 0.28.0, MONAI 1.6.1"),
            checked_against="torchvision, timm, MONAI",
            tiny={"depths": (1, 1, 1, 1), "width": 0.0625},
        )


CLASSIFIERS = (*_resnets(),)
