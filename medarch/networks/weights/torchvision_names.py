"""Names of torchvision's classifiers. Each function returns names of the file → names of the network."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medarch.networks.weights.by_modules import by_modules
from medarch.networks.weights.by_rules import by_rules
from medarch.networks.weights.hovernet_names import PREACTIVATED, preactivated_resnet

_STEM = "encoder.stages.0"


def resnet(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """ResNet and SE-ResNet, of torchvision and timm; into a pre-activated one as well."""
    if PREACTIVATED in target:
        return preactivated_resnet(source)
    rules = (
        (r"^conv1\.", f"{_STEM}.conv."),
        (r"^bn1\.", f"{_STEM}.norm."),
        (r"^layer(\d)\.", r"encoder.stages.\1."),
        (r"\.bn(\d)\.", r".norm\1."),
        (r"\.downsample\.", ".shortcut."),
        (r"\.se\.fc1\.", ".gate.squeeze."),
        (r"\.se\.fc2\.", ".gate.excite."),
        (r"^fc\.", "head.linear."),
    )
    return by_rules(source, rules)


def densenet(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """DenseNet, of torchvision and timm; old files write ``norm.1`` for ``norm1``."""
    names = {}
    for name in source:
        mine = re.sub(r"\.(norm|conv)\.(\d)\.", r".\1\2.", name)
        mine = re.sub(
            r"^features\.denseblock(\d)\.denselayer(\d+)\.",
            lambda found: f"encoder.stages.{found[1]}.dense.{int(found[2]) - 1}.",
            mine,
        )
        mine = re.sub(
            r"^features\.transition(\d)\.", lambda found: f"encoder.stages.{int(found[1]) + 1}.transition.", mine
        )
        rules = (
            (r"^features\.(conv|norm)0\.", rf"{_STEM}.\1."),
            (r"^features\.norm5\.", "encoder.stages.4.norm."),
            (r"^classifier\.", "head.linear."),
        )
        names[name] = by_rules([mine], rules)[mine]
    return names


def googlenet(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """GoogLeNet with or without auxiliary classifiers."""
    rules = (
        (r"^conv1\.", f"{_STEM}."),
        (r"^conv2\.", "encoder.stages.1.reduce."),
        (r"^conv3\.", "encoder.stages.1.conv."),
        (r"^aux1\.", "auxiliary.0."),
        (r"^aux2\.", "auxiliary.1."),
        (r"^(auxiliary\.\d)\.fc(\d)\.", r"\1.linear\2."),
        (r"\.bn\.", ".norm."),
        (r"^fc\.", "head.linear."),
    )
    names = by_rules(source, rules)
    # Block 3a is in stage 2, 4a in stage 3, and so on.
    return {
        name: re.sub(
            r"^inception(\d)([a-e])\.", lambda found: f"encoder.stages.{int(found[1]) - 1}.{found[1]}{found[2]}.", mine
        )
        for name, mine in names.items()
    }


def in_order(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """VGG and AlexNet, whose layers are numbered: the n-th convolution is the n-th convolution."""
    features = _layers([name for name in source if name.startswith("features.")])
    inner = "encoder.encoder." if any(name.startswith("encoder.encoder.") for name in target) else ""
    mine = _modules([name for name in target if name.startswith(inner or ("encoder.stages.", "convolutions."))])
    normalised = {_module(name) for name in (*source, *target) if name.endswith(".running_mean")}
    pairs = []
    for kind in (True, False):
        theirs = [layer for layer in features if (layer in normalised) == kind]
        ours = [module for module in mine if (module in normalised) == kind]
        ours = [module.removeprefix("encoder.") if inner else module for module in ours]
        pairs += list(zip(theirs, ours, strict=False))
    linear = _layers([name for name in source if name.startswith("classifier.")])
    pairs += list(zip(linear, ("head.linear1", "head.linear2", "head.linear3"), strict=False))
    return by_modules(source, dict(pairs))


def mobilenet_v2(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """MobileNetV2: ``features.N.conv.K``, the last convolution of a block without a wrapper of its own."""
    blocks, last = _blocks(target), max(int(name.split(".")[1]) for name in source if name.startswith("features."))
    pairs = {"features.0.0": f"{_STEM}.conv", "features.0.1": f"{_STEM}.norm"}
    pairs |= {f"features.{last}.0": "head.widen.conv", f"features.{last}.1": "head.widen.norm"}
    pairs["classifier.1"] = "head.linear"
    for number, (block, parts) in enumerate(blocks, 1):
        *wrapped, project = parts
        for index, part in enumerate(wrapped):
            pairs[f"features.{number}.conv.{index}.0"] = f"{block}.{part}.conv"
            pairs[f"features.{number}.conv.{index}.1"] = f"{block}.{part}.norm"
        pairs[f"features.{number}.conv.{len(wrapped)}"] = f"{block}.{project}.conv"
        pairs[f"features.{number}.conv.{len(wrapped) + 1}"] = f"{block}.{project}.norm"
    return by_modules(source, pairs)


def inverted(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """EfficientNet and EfficientNetV2: ``features.ROW.N.block.K``."""
    found = {re.match(r"features\.(\d+)\.(\d+)\.block\.", name) for name in source}
    numbers = sorted({(int(match[1]), int(match[2])) for match in found if match})
    last = max(int(name.split(".")[1]) for name in source if name.startswith("features."))
    pairs = {"features.0.0": f"{_STEM}.conv", "features.0.1": f"{_STEM}.norm"}
    pairs |= {f"features.{last}.0": "head.widen.conv", f"features.{last}.1": "head.widen.norm"}
    pairs["classifier.1"] = "head.linear"
    for (row, number), (block, parts) in zip(numbers, _blocks(target), strict=False):
        for index, part in enumerate(parts):
            theirs = f"features.{row}.{number}.block.{index}"
            pairs |= {f"{theirs}.0": f"{block}.{part}.conv", f"{theirs}.1": f"{block}.{part}.norm"}
            pairs |= {f"{theirs}.fc1": f"{block}.{part}.squeeze", f"{theirs}.fc2": f"{block}.{part}.excite"}
    return by_modules(source, pairs)


def convnext(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """ConvNeXt: even ``features`` are stem and down-sampling, odd ones the stages."""
    names = {}
    for name in source:
        mine = re.sub(
            r"^features\.(\d+)\.(\d+)\.(block|layer_scale)",
            lambda found: f"encoder.stages.{int(found[1]) // 2}.{found[2]}.{found[3]}",
            name,
        )
        mine = re.sub(r"^features\.0\.0\.", f"{_STEM}.down.conv.", mine)
        mine = re.sub(r"^features\.0\.1\.", f"{_STEM}.norm.", mine)
        mine = re.sub(
            r"^features\.(\d+)\.([01])\.",
            lambda found: f"encoder.stages.{int(found[1]) // 2}.{('norm', 'down.conv')[int(found[2])]}.",
            mine,
        )
        rules = (
            (r"\.layer_scale$", ".scale"),
            (r"\.block\.0\.", ".conv."),
            (r"\.block\.2\.", ".norm."),
            (r"\.block\.3\.", ".expand."),
            (r"\.block\.5\.", ".project."),
            (r"^classifier\.0\.", "head.norm."),
            (r"^classifier\.2\.", "head.linear."),
        )
        names[name] = by_rules([mine], rules)[mine]
    return names


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _modules(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(_module(name) for name in names))


def _layers(names: Sequence[str]) -> list[str]:
    """Numbered layers in the order of their numbers, whatever the order of the file."""
    return sorted(_modules(names), key=lambda layer: int(layer.split(".")[1]))


def _blocks(target: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The network's inverted bottlenecks in order: prefix, and names of the parts in order."""
    parts: dict[str, list[str]] = {}
    for name in target:
        found = re.match(r"(?:encoder\.)?(encoder\.stages\.\d+\.\d+\.branch)\.(\w+)\.", name)
        if found:
            known = parts.setdefault(found[1], [])
            if found[2] not in known:
                known.append(found[2])
    return list(parts.items())
