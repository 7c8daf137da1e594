"""Names of torchvision's, timm's and hover_net's tensors as medarch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medarch.networks.weights.hovernet_names import hovernet
from medarch.networks.weights.timm_names import timm_convnext, timm_inverted
from medarch.networks.weights.torchvision_names import (
    convnext,
    densenet,
    googlenet,
    in_order,
    inverted,
    mobilenet_v2,
    resnet,
)

Translation = Callable[[Sequence[str], Sequence[str]], dict[str, str]]

FAMILIES: tuple[tuple[str, Translation], ...] = (
    ("d0.units.0.conv1.weight", hovernet),
    ("layer1.0.conv1.weight", resnet),
    ("features.conv0.weight", densenet),
    ("inception3a.branch1.conv.weight", googlenet),
    ("features.1.conv.0.0.weight", mobilenet_v2),
    ("features.1.0.layer_scale", convnext),
    ("features.1.0.block.0.0.weight", inverted),
    ("features.0.weight", in_order),
    ("conv_stem.weight", timm_inverted),
    ("stages.0.blocks.0.gamma", timm_convnext),
)
"""A name that only this family has, and how to translate its names."""


def translate_names(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """Return the name that each tensor of a file would have in the network; not each need be there.

    Args:
        source: names in the file, of medarch, torchvision or timm (ResNet and its relatives, DenseNet, VGG, AlexNet,
            GoogLeNet, MobileNet, EfficientNet, ConvNeXt), or of hover_net and TIAToolbox (HoVerNet).
        target: names of the network's tensors, in its own order.
    """
    present = set(source)
    for mark, translate in FAMILIES:
        if mark in present:
            translated = translate(source, target)
            break
    else:
        translated = {name: name for name in source}
    known = set(target)
    # A decoder's network may have the classifier's encoder inside of its own.
    return max(
        ({name: prefix + mine for name, mine in translated.items()} for prefix in ("", "encoder.")),
        key=lambda names: len(known.intersection(names.values())),
    )
