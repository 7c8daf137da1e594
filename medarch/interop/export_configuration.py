"""One configuration of a plan in nnU-Net v2's words."""

from __future__ import annotations

from typing import Any

from medarch.core.plan import Configuration, NetworkPlan, PreprocessingPlan
from medarch.interop.nnunet_names import NNUNET_CLASSES
from medarch.interop.not_expressible import not_expressible

SCHEMES = {
    "ct": "CTNormalization",
    "zscore": "ZScoreNormalization",
    "none": "NoNormalization",
    "rescale_to_0_1": "RescaleTo01Normalization",
    "rgb_to_0_1": "RGBTo01Normalization",
}
"""medarch's name of a normalisation → nnU-Net's class."""
NNUNET_RATIO = 3.0
"""Ratio of spacings above which nnU-Net resamples the coarse axis on its own, unless told otherwise."""
NEVER = 1e6
"""From this ratio on no real image has a coarse axis."""
_RESAMPLE = "resample_data_or_seg_to_shape"


def export_configuration(configuration: Configuration, *, data_identifier: str) -> dict[str, Any]:
    """Return the entry of ``configurations`` in nnU-Net's plans.json (2.3 to 2.8).

    Left out is what nnU-Net keeps in its trainer and not in its plans: optimiser, schedule, augmentation, mirror axes.

    Args:
        configuration: what to describe.
        data_identifier: name of the folder for prepared cases.

    Raises:
        PlanError: nnU-Net cannot express a decision; the message names it.
    """
    recipe = configuration.preprocessing
    entry: dict[str, Any] = {
        "data_identifier": data_identifier,
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": configuration.batch_size,
        "patch_size": list(configuration.patch_voxels),
        "median_image_size_in_voxels": list(configuration.median_shape),
        "spacing": _spacing(configuration),
        "normalization_schemes": [SCHEMES[channel.scheme] for channel in recipe.normalisation],
        "use_mask_for_norm": [channel.inside_mask for channel in recipe.normalisation],
        **_resampling(recipe),
        "architecture": _architecture(configuration.network, configuration.name),
        "batch_dice": configuration.batch_dice,
    }
    for stage in ("previous_stage", "next_stage"):
        if name := getattr(configuration, stage):
            entry[stage] = name
    return entry


def _spacing(configuration: Configuration) -> list[float]:
    recipe = configuration.preprocessing
    if recipe.crop != "nonzero":
        raise not_expressible(f"{configuration.name}: crop", expected="nonzero", found=recipe.crop)
    flat = configuration.network.dim == 2
    spacing = [size for size in (recipe.spacing_mm[1:] if flat else recipe.spacing_mm) if size is not None]
    if len(spacing) != configuration.network.dim or (flat and recipe.spacing_mm[0] is not None):
        raise not_expressible(
            f"{configuration.name}: spacing",
            expected="a spacing for each axis of the patch, and none across the slices of a 2D configuration",
            found=recipe.spacing_mm,
        )
    return spacing


def _resampling(recipe: PreprocessingPlan) -> dict[str, Any]:
    ratio = recipe.separate_plane_ratio
    separate: dict[str, Any] = {"order_z": recipe.coarse_order, "force_separate_z": None}
    if ratio < 1 or ratio >= NEVER:
        separate["force_separate_z"] = ratio < 1
    elif ratio != NNUNET_RATIO:
        separate["separate_z_anisotropy_threshold"] = ratio
    entry: dict[str, Any] = {}
    for kind, is_seg, order in (
        ("data", False, recipe.image_order),
        ("seg", True, recipe.label_order),
        ("probabilities", False, recipe.score_order),
    ):
        entry[f"resampling_fn_{kind}"] = _RESAMPLE
        entry[f"resampling_fn_{kind}_kwargs"] = {"is_seg": is_seg, "order": order, **separate}
    return entry


def _architecture(network: NetworkPlan, name: str) -> dict[str, Any]:
    if network.architecture not in NNUNET_CLASSES or network.options:
        raise not_expressible(
            f"{name}: network",
            expected=", ".join(NNUNET_CLASSES) + ", without options",
            found=f"{network.architecture} {network.options or ''}".strip(),
        )
    blocks = "n_conv_per_stage" if network.architecture == "plain_unet" else "n_blocks_per_stage"
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet."
        + NNUNET_CLASSES[network.architecture],
        "arch_kwargs": {
            "n_stages": len(network.features),
            "features_per_stage": list(network.features),
            "conv_op": f"torch.nn.modules.conv.Conv{network.dim}d",
            "kernel_sizes": [list(kernel) for kernel in network.kernels],
            "strides": [list(stride) for stride in network.strides],
            blocks: list(network.blocks),
            # nnU-Net lists the decoder from the coarsest stage, medarch from the finest.
            "n_conv_per_stage_decoder": list(network.decoder_blocks[::-1]),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{network.dim}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
