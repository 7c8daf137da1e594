"""nnU-Net's description of a network as medarch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medarch.core.errors import ModelError
from medarch.core.plan import NetworkPlan, Voxels

_ARCHITECTURES = {"PlainConvUNet": "plain_unet", "ResidualEncoderUNet": "residual_unet"}
_MODULES = (
    "dynamic_network_architectures.architectures.unet.",
    "dynamic_network_architectures.architectures.residual_unet.",
)
_TOPOLOGY = {
    "n_stages",
    "features_per_stage",
    "conv_op",
    "kernel_sizes",
    "strides",
    "n_conv_per_stage",
    "n_blocks_per_stage",
    "n_conv_per_stage_decoder",
    "conv_bias",
    "deep_supervision",
    # Dropout does nothing in prediction, whatever its kind.
    "dropout_op",
    "dropout_op_kwargs",
}


def nnunet_network(
    architecture: Mapping[str, Any], *, dim: int, in_channels: int, heads: int, deep_supervision: bool = True
) -> NetworkPlan:
    """Translate ``architecture`` of a configuration in plans.json.

    Args:
        architecture: ``network_class_name`` and ``arch_kwargs``.
        dim: spatial axes of the patch.
        in_channels: of the network.
        heads: output channels.
        deep_supervision: whether training used it.

    Raises:
        ModelError: the class, or any of its arguments, is one that medarch's networks cannot reproduce.
        KeyError, TypeError, ValueError: an argument is missing or malformed.
    """
    kind = _architecture(str(architecture["network_class_name"]))
    settings = architecture["arch_kwargs"]
    _require_stock_layers(settings, dim, kind)
    count = "n_conv_per_stage" if kind == "plain_unet" else "n_blocks_per_stage"
    stages = int(settings["n_stages"])
    return NetworkPlan(
        architecture=kind,
        dim=2 if dim == 2 else 3,
        in_channels=in_channels,
        heads=heads,
        features=_numbers(settings["features_per_stage"], stages),
        strides=_voxels(settings["strides"], stages, dim),
        kernels=_voxels(settings["kernel_sizes"], stages, dim),
        blocks=_numbers(settings[count], stages),
        # nnU-Net lists the decoder from the coarsest stage, medarch from the finest.
        decoder_blocks=_numbers(settings["n_conv_per_stage_decoder"], stages - 1)[::-1],
        deep_supervision=deep_supervision,
    )


def _architecture(name: str) -> str:
    module, _, plain = name.rpartition(".")
    if plain not in _ARCHITECTURES or (module and f"{module}." not in _MODULES):
        raise ModelError(
            f"network {name} cannot be reproduced",
            expected=" or ".join(_MODULES[0] + known for known in _ARCHITECTURES),
            found=name,
            fix="only nnU-Net's own U-Nets can be imported",
        )
    return _ARCHITECTURES[plain]


def _require_stock_layers(settings: Mapping[str, Any], dim: int, kind: str) -> None:
    """Refuse every argument that would make another network, by its name and value."""
    first_width = settings.get("features_per_stage")
    first_width = first_width[0] if isinstance(first_width, list | tuple) and first_width else first_width
    allowed: dict[str, tuple[object, ...]] = {
        "conv_op": (f"Conv{dim}d",),
        "norm_op": (f"InstanceNorm{dim}d",),
        "nonlin": ("LeakyReLU",),
        "nonlin_first": (False,),
        "block": (None, "BasicBlockD"),
        "bottleneck_channels": (None,),
        "stem_channels": (None, first_width) if kind == "residual_unet" else (),
    }
    for name, value in settings.items():
        if name in ("norm_op_kwargs", "nonlin_kwargs"):
            continue
        if name not in allowed and name not in _TOPOLOGY:
            raise _other_layer(name, value, "no such argument")
        plain = value.rpartition(".")[2] if isinstance(value, str) else value
        if name in allowed and plain not in allowed[name]:
            raise _other_layer(name, value, " or ".join(map(str, allowed[name])))
    for name in ("conv_op", "norm_op", "nonlin"):
        if name not in settings:
            raise _other_layer(name, None, str(allowed[name][0]))
    norm = {"eps": 1e-5, "affine": False, "track_running_stats": False, "momentum": 0.1} | dict(
        settings.get("norm_op_kwargs") or {}
    )
    if norm | {"momentum": 0.1} != {"eps": 1e-5, "affine": True, "track_running_stats": False, "momentum": 0.1}:
        raise _other_layer("norm_op_kwargs", settings.get("norm_op_kwargs"), '{"eps": 1e-5, "affine": true}')
    activation = {"negative_slope": 0.01, "inplace": True} | dict(settings.get("nonlin_kwargs") or {})
    if activation | {"inplace": True} != {"negative_slope": 0.01, "inplace": True}:
        raise _other_layer("nonlin_kwargs", settings.get("nonlin_kwargs"), '{"negative_slope": 0.01}')


def _other_layer(name: str, value: object, expected: str) -> ModelError:
    return ModelError(
        f"the network's {name} = {value} cannot be reproduced",
        expected=expected,
        found=repr(value),
        fix="only nnU-Net's stock networks can be imported",
    )


def _numbers(value: Any, stages: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * stages
    if len(value) != stages:
        raise ValueError(f"{len(value)} entries for {stages} stages")
    return tuple(int(entry) for entry in value)


def _voxels(value: Any, stages: int, dim: int) -> tuple[Voxels, ...]:
    if isinstance(value, int):
        value = [value] * stages
    if len(value) != stages:
        raise ValueError(f"{len(value)} entries for {stages} stages")
    return tuple(_numbers(entry, dim) for entry in value)
