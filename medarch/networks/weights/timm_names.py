"""Names of timm's MobileNets, EfficientNets and ConvNeXts; its ResNets and DenseNets have torchvision's names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medarch.networks.weights.by_modules import by_modules
from medarch.networks.weights.by_rules import by_rules

_PARTS = {
    # Inverted bottleneck
    frozenset({"conv_pw", "conv_dw", "conv_pwl"}): (
        ("conv_pw", "branch.expand.conv"),
        ("bn1", "branch.expand.norm"),
        ("conv_dw", "branch.depthwise.conv"),
        ("bn2", "branch.depthwise.norm"),
        ("conv_pwl", "branch.project.conv"),
        ("bn3", "branch.project.norm"),
    ),
    # Its form without expansion
    frozenset({"conv_dw", "conv_pw"}): (
        ("conv_dw", "branch.depthwise.conv"),
        ("bn1", "branch.depthwise.norm"),
        ("conv_pw", "branch.project.conv"),
        ("bn2", "branch.project.norm"),
    ),
    # Fused
    frozenset({"conv_exp", "conv_pwl"}): (
        ("conv_exp", "branch.expand.conv"),
        ("bn1", "branch.expand.norm"),
        ("conv_pwl", "branch.project.conv"),
        ("bn2", "branch.project.norm"),
    ),
    # Fused without expansion
    frozenset({"conv"}): (("conv", "branch.conv.conv"), ("bn1", "branch.conv.norm")),
}
"""Which convolutions a block has → its names and ours."""
_SEPARABLE = (("conv_dw", "0.conv"), ("bn1", "0.norm"), ("conv_pw", "1.conv"), ("bn2", "1.norm"))
_GATE = (("se.conv_reduce", "branch.gate.squeeze"), ("se.conv_expand", "branch.gate.excite"))


def timm_inverted(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """MobileNetV1, V2, EfficientNet, EfficientNetV2: ``blocks.ROW.N``."""
    pairs = {
        "conv_stem": "encoder.stages.0.conv",
        "bn1": "encoder.stages.0.norm",
        "conv_head": "head.widen.conv",
        "bn2": "head.widen.norm",
        "classifier": "head.linear",
    }
    mine = dict.fromkeys(
        found[1] for name in target if (found := re.match(r"(?:encoder\.)?(encoder\.stages\.[1-9]\d*\.\d+)\.", name))
    )
    separable = not any(".branch." in name for name in target)
    numbers = sorted(
        {(int(found[1]), int(found[2])) for name in source if (found := re.match(r"blocks\.(\d+)\.(\d+)\.", name))}
    )
    modules = {name.rpartition(".")[0] for name in source}
    for (row, number), ours in zip(numbers, mine, strict=False):
        theirs = f"blocks.{row}.{number}"
        convolutions = frozenset(
            module.rpartition(".")[2] for module in modules if re.fullmatch(rf"{re.escape(theirs)}\.conv\w*", module)
        )
        parts = _SEPARABLE if separable else (*_PARTS.get(convolutions, ()), *_GATE)
        pairs |= {f"{theirs}.{name}": f"{ours}.{part}" for name, part in parts}
    return by_modules(source, pairs)


def timm_convnext(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """ConvNeXt: ``stages.N.blocks.M``."""
    rules = (
        (r"^stem\.0\.", "encoder.stages.0.down.conv."),
        (r"^stem\.1\.", "encoder.stages.0.norm."),
        (r"^stages\.(\d)\.downsample\.0\.", r"encoder.stages.\1.norm."),
        (r"^stages\.(\d)\.downsample\.1\.", r"encoder.stages.\1.down.conv."),
        (r"^stages\.(\d)\.blocks\.", r"encoder.stages.\1."),
        (r"\.gamma$", ".scale"),
        (r"\.conv_dw\.", ".conv."),
        (r"\.mlp\.fc1\.", ".expand."),
        (r"\.mlp\.fc2\.", ".project."),
        (r"^head\.fc\.", "head.linear."),
    )
    return by_rules(source, rules)
