"""plans.json of nnU-Net v2.0 to 2.8: inheritance resolved, the old flat form brought into the present one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medarch.core.errors import ModelError

_FLAT = {
    "n_conv_per_stage_encoder",
    "n_conv_per_stage_decoder",
    "conv_kernel_sizes",
    "pool_op_kernel_sizes",
    "UNet_base_num_features",
    "unet_max_num_features",
}
"""What plans before v2.3 (and TotalSegmentator's) say of the network, beside ``UNet_class_name``."""


def resolve_configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with what it inherits, and with ``architecture`` also where the plans are old.

    Raises:
        ModelError: there is no such configuration, its ancestry is circular, or it describes no network.
    """
    configuration = _with_inherited(plans, name, ())
    if "architecture" not in configuration:
        configuration["architecture"] = _architecture_of_flat(configuration, name)
    return configuration


def _with_inherited(plans: Mapping[str, Any], name: str, heirs: tuple[str, ...]) -> dict[str, Any]:
    known = plans.get("configurations")
    if not isinstance(known, Mapping) or not isinstance(known.get(name), Mapping):
        raise ModelError(
            f"plans.json has no configuration {name!r}",
            expected=", ".join(known) if isinstance(known, Mapping) else "configurations",
            found=name,
            fix="use the plans.json that was trained with",
        )
    if name in heirs:
        raise ModelError(
            f"configuration {name!r} of plans.json inherits from itself", found=" -> ".join((*heirs, name))
        )
    own = dict(known[name])
    parent = own.pop("inherits_from", None)
    return own if parent is None else _with_inherited(plans, str(parent), (*heirs, name)) | own


def _architecture_of_flat(configuration: Mapping[str, Any], name: str) -> dict[str, Any]:
    missing = sorted((_FLAT | {"UNet_class_name", "patch_size"}) - set(configuration))
    if missing:
        raise ModelError(
            f"configuration {name!r} of plans.json describes no network",
            expected="architecture, or the keys of plans before v2.3",
            found=f"no {', '.join(missing)}",
            fix="use the plans.json that was trained with",
        )
    dim = len(configuration["patch_size"])
    blocks = configuration["n_conv_per_stage_encoder"]
    base, widest = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    kind = configuration["UNet_class_name"]
    return {
        "network_class_name": kind,
        "arch_kwargs": {
            "n_stages": len(blocks),
            "features_per_stage": [min(base * 2**stage, widest) for stage in range(len(blocks))],
            "conv_op": f"torch.nn.Conv{dim}d",
            "kernel_sizes": configuration["conv_kernel_sizes"],
            "strides": configuration["pool_op_kernel_sizes"],
            "n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage": blocks,
            "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": f"torch.nn.InstanceNorm{dim}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
    }
