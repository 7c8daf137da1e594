"""Names of a U-Net's tensors: nnU-Net's (dynamic_network_architectures) and medarch's, both ways.

nnU-Net names most tensors twice (``conv`` and ``norm`` lie in ``all_modules`` again), those of the encoder twice more
(below ``decoder.encoder``); all names of one tensor share its storage.
"""

from __future__ import annotations

import re

from medarch.core.errors import ModelError
from medarch.core.plan import NetworkPlan

NNUNET_CLASSES = {"plain_unet": "PlainConvUNet", "residual_unet": "ResidualEncoderUNet"}
"""medarch's name of an architecture → nnU-Net's class."""

# nnU-Net's form, medarch's form, and what medarch calls nnU-Net's `conv` and `norm` there.
_BLOCK = {"conv": "0", "norm": "1"}
_BEHIND_POOLING = {"conv": "1", "norm": "2"}
_Row = tuple[str, str, dict[str, str]]
_DECODER: tuple[_Row, ...] = (
    ("decoder.stages.{a}.convs.{b}.{part}.{leaf}", "decoder.{a}.{b}.{part}.{leaf}", _BLOCK),
    ("decoder.transpconvs.{a}.{leaf}", "ups.{a}.{leaf}", {}),
    ("decoder.seg_layers.{a}.{leaf}", "heads.{a}.{leaf}", {}),
)
_SHORTCUT = "encoder.stages.{a}.{b}.shortcut.{part}.{leaf}"
_TABLES: dict[str, tuple[_Row, ...]] = {
    "plain_unet": (
        ("encoder.stages.{a}.0.convs.{b}.{part}.{leaf}", "encoder.stages.{a}.{b}.{part}.{leaf}", _BLOCK),
        *_DECODER,
    ),
    "residual_unet": (
        ("encoder.stem.convs.{b}.{part}.{leaf}", "encoder.stem.{part}.{leaf}", _BLOCK),
        ("encoder.stages.{a}.blocks.{b}.conv{c}.{part}.{leaf}", "encoder.stages.{a}.{b}.conv{c}.{part}.{leaf}", _BLOCK),
        ("encoder.stages.{a}.blocks.{b}.skip.0.{part}.{leaf}", _SHORTCUT, _BLOCK),
        ("encoder.stages.{a}.blocks.{b}.skip.1.{part}.{leaf}", _SHORTCUT, _BEHIND_POOLING),
        *_DECODER,
    ),
}


def medarch_name(name: str, architecture: str) -> str:
    """Return medarch's name of a tensor.

    Args:
        name: any of nnU-Net's names, with or without ``module.`` in front.
        architecture: ``plain_unet`` or ``residual_unet``.

    Raises:
        ModelError: nnU-Net's network of this kind has no such tensor.
    """
    short = name.removeprefix("module.")
    short = short.removeprefix("decoder.") if short.startswith("decoder.encoder.") else short
    short = short.replace(".all_modules.0.", ".conv.").replace(".all_modules.1.", ".norm.")
    for theirs, ours, parts in _table(architecture):
        if found := _match(theirs, short, "conv|norm"):
            return ours.format(**found | {"part": parts.get(found.get("part", ""), "")})
    raise ModelError(
        f"unknown tensor {name!r}",
        expected=f"a tensor of nnU-Net's {NNUNET_CLASSES[architecture]}",
        found=name,
        fix="use the network that the plans name; a changed network cannot be taken over",
    )


def nnunet_names(name: str, network: NetworkPlan) -> tuple[str, ...]:
    """Return all of nnU-Net's names of a tensor, the one without repetition first.

    Args:
        name: medarch's name.
        network: the topology; whether a shortcut pools decides the numbers in it.

    Raises:
        ModelError: medarch's network of this kind has no such tensor, or nnU-Net has no such network.
    """
    for theirs, ours, parts in _table(network.architecture):
        found = _match(ours, name, "|".join(parts.values()))
        if not found or (ours == _SHORTCUT and _pools(network, found) != (parts is _BEHIND_POOLING)):
            continue
        part = next((each for each, number in parts.items() if number == found.get("part")), "")
        first = theirs.format(**{"b": "0"} | found | {"part": part})
        again = first.replace(".conv.", ".all_modules.0.").replace(".norm.", ".all_modules.1.")
        names = (first,) if again == first else (first, again)
        return names + tuple("decoder." + each for each in names if each.startswith("encoder."))
    raise ModelError(f"unknown tensor {name!r}", expected=f"a tensor of a {network.architecture}", found=name)


def _table(architecture: str) -> tuple[_Row, ...]:
    if architecture not in _TABLES:
        raise ModelError(
            f"nnU-Net has no network like {architecture!r}",
            expected=", ".join(NNUNET_CLASSES),
            found=architecture,
            fix="only the two U-Nets can move between the programs",
        )
    return _TABLES[architecture]


def _match(form: str, name: str, parts: str) -> dict[str, str] | None:
    """Return what stands in the places of a form, or None if ``name`` has another form."""
    pattern = re.sub(r"\\{([abc])\\}", r"(?P<\1>\\d+)", re.escape(form))
    pattern = pattern.replace(r"\{part\}", f"(?P<part>{parts})").replace(r"\{leaf\}", "(?P<leaf>weight|bias)")
    match = re.fullmatch(pattern, name)
    return match.groupdict() if match else None


def _pools(network: NetworkPlan, found: dict[str, str]) -> bool:
    return found["b"] == "0" and max(network.strides[int(found["a"])]) > 1
