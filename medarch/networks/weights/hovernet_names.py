"""Names of HoVerNets, as their authors and TIAToolbox save them, and of a ResNet-50 for their encoder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medarch.networks.weights.by_rules import by_rules

PREACTIVATED = "encoder.stages.0.body.units.0.conv1.weight"
"""A name that only networks with HoVerNet's encoder have."""
_BODY = (r"^encoder\.stages\.0\.(?=units|shortcut|norm)", "encoder.stages.0.body.")


def hovernet(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """``d0.units.0.conv1.weight``, ``decoder.tp.u3.conva.weight`` and so on."""
    rules = (
        (r"^conv0\.(/|conv)\.", "encoder.stages.0.stem.conv."),
        (r"^conv0\.bn\.", "encoder.stages.0.stem.norm."),
        (r"^d(\d)\.", r"encoder.stages.\1."),
        (r"\.blk_bna\.bn\.", ".norm."),
        _BODY,
        (r"\.preact(_bna)?/bn\.", ".norm0."),
        (r"\.conv(\d)/bn\.", r".norm\1."),
        (r"^conv_bot\.", "bottleneck."),
        (r"^decoder\.np\.", "branches.nuclei."),
        (r"^decoder\.hv\.", "branches.distances."),
        (r"^decoder\.tp\.", "branches.types."),
        (r"\.u1\.conva\.", ".fine."),
        (r"\.u0\.bn\.", ".norm."),
        (r"\.u0\.conv\.", ".head."),
        (r"\.u3\.", ".coarse."),
        (r"\.u2\.", ".middle."),
        (r"\.conva\.", ".reduce."),
        (r"\.dense\.", "."),
        (r"\.convf\.", ".mix."),
    )
    # The authors keep the constant of their up-sampling among the weights.
    return by_rules([name for name in source if not name.startswith("upsample2x.")], rules)


def preactivated_resnet(source: Sequence[str]) -> dict[str, str]:
    """A ResNet of bottlenecks for a pre-activated one: a start, not the same function.

    The normalisation that ends a unit there becomes the one before the next unit here, and the last one of a stage the
    stage's; those of shortcuts have no place.
    """
    last: dict[str, int] = {}
    for name in source:
        found = re.match(r"layer(\d)\.(\d+)\.", name)
        if found:
            last[found[1]] = max(last.get(found[1], 0), int(found[2]))

    def after(found: re.Match[str]) -> str:
        stage, unit = found[1], int(found[2])
        where = f"encoder.stages.{int(stage) - 1}"
        return f"{where}.norm." if unit == last[stage] else f"{where}.units.{unit + 1}.norm0."

    names = {}
    for name in source:
        if ".downsample.1." in name:
            continue
        mine = re.sub(r"^layer(\d)\.(\d+)\.bn3\.", after, name)
        mine = re.sub(
            r"^layer(\d)\.(\d+)\.(conv|bn)(\d)\.",
            lambda found: f"encoder.stages.{int(found[1]) - 1}.units.{found[2]}.{_KINDS[found[3]]}{found[4]}.",
            mine,
        )
        mine = re.sub(
            r"^layer(\d)\.0\.downsample\.0\.",
            lambda found: f"encoder.stages.{int(found[1]) - 1}.shortcut.",
            mine,
        )
        rules = (
            (r"^conv1\.", "encoder.stages.0.stem.conv."),
            (r"^bn1\.", "encoder.stages.0.stem.norm."),
            (r"^fc\.", "head.linear."),
            _BODY,
        )
        names[name] = by_rules([mine], rules)[mine]
    return names


_KINDS = {"conv": "conv", "bn": "norm"}
