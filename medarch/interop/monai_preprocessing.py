"""A plan's preprocessing in MONAI's transforms, as a bundle's configuration spells them."""

from __future__ import annotations

from typing import Any

from medarch.core.errors import PlanError
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan

Transform = dict[str, Any]
FIX = "export as onnx, which leaves preprocessing to the caller"


def monai_preprocessing(recipe: PreprocessingPlan, *, channels: int) -> list[Transform]:
    """Return the transforms from files to the network's voxels; arrays keep the axes of the file.

    Raises:
        PlanError: MONAI has no transform for a decision of the plan; the message names it.
    """
    steps: list[Transform] = [
        {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "CastToTyped", "keys": "image", "dtype": "$np.float32"},
    ]
    if recipe.orientation is not None:
        steps.append({"_target_": "Orientationd", "keys": "image", "axcodes": recipe.orientation})
    if recipe.crop == "nonzero":
        steps.append(
            {
                "_target_": "CropForegroundd",
                "keys": "image",
                "source_key": "image",
                "select_fn": "$lambda x: x != 0",
                "allow_smaller": True,
            }
        )
    steps += _normalisation(recipe.normalisation, channels)
    steps += _resampling(recipe)
    return steps


def _normalisation(schemes: tuple[ChannelNormalisation, ...], channels: int) -> list[Transform]:
    first = schemes[0]
    if any(scheme != first for scheme in schemes[1:]):
        raise _refused("channels that are normalised differently", [scheme.scheme for scheme in schemes])
    if first.inside_mask:
        raise _refused("normalisation inside a mask of all channels", "inside_mask")
    if first.scheme == "zscore":
        return [{"_target_": "NormalizeIntensityd", "keys": "image", "channel_wise": True}]
    if first.scheme == "ct":
        statistics = first.statistics
        if statistics is None:
            raise _refused("CT normalisation without statistics", "none")
        low, high = statistics.percentile_00_5, statistics.percentile_99_5
        return [
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": low,
                "a_max": high,
                "b_min": (low - statistics.mean) / statistics.std,
                "b_max": (high - statistics.mean) / statistics.std,
                "clip": True,
            }
        ]
    if first.scheme == "rescale_to_0_1":
        return [{"_target_": "ScaleIntensityd", "keys": "image", "channel_wise": True}]
    if first.scheme == "rgb_to_0_1":
        return [{"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0, "a_max": 255, "b_min": 0, "b_max": 1}]
    return []


def _resampling(recipe: PreprocessingPlan) -> list[Transform]:
    spacing = [0.0, 0.0, 0.0]
    for network_axis, wanted in enumerate(recipe.spacing_mm):
        # MONAI keeps an axis whose spacing is not positive.
        spacing[recipe.axes[network_axis]] = -1.0 if wanted is None else wanted
    known = [wanted for wanted in spacing if wanted > 0]
    if len(known) == 3 and max(known) / min(known) > recipe.separate_plane_ratio:
        raise _refused("thick slices, which the plan resamples apart", f"spacing {spacing} mm")
    if not known:
        return []
    return [
        {
            "_target_": "Spacingd",
            "keys": "image",
            "pixdim": spacing,
            "mode": recipe.image_order,
            "padding_mode": "nearest",
            "align_corners": True,
            "scale_extent": True,
            "dtype": "$np.float32",
        }
    ]


def _refused(what: str, found: object) -> PlanError:
    return PlanError(
        f"MONAI has no transform for {what}",
        expected="a plan that MONAI's transforms can follow",
        found=str(found),
        fix=FIX,
    )
