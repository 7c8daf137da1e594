"""What nnU-Net does to a case before and after the network, as a medarch recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from medarch.core.errors import ModelError
from medarch.core.fingerprint import IntensityStatistics
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan

READERS: dict[str, str | None] = {
    "SimpleITKIO": None,
    "NibabelIO": None,
    "NaturalImage2DIO": None,
    "NibabelIOWithReorient": "RAS",
    "SimpleITKIOWithReorient": "RAS",
}
"""nnU-Net's readers → the orientation they bring an image to. All index z, y, x."""
_SCHEMES = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "zscore",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_to_0_1",
    "RGBTo01Normalization": "rgb_to_0_1",
}
_STAGES = ("data", "seg", "probabilities")
_SPLINES: dict[str, Any] = {
    "is_seg": False,
    "order": 3,
    "order_z": 0,
    "force_separate_z": False,
    "separate_z_anisotropy_threshold": 3,
}
"""Defaults of resample_data_or_seg_to_shape."""
_LINEAR: dict[str, Any] = {
    "is_seg": False,
    "force_separate_z": None,
    "separate_z_anisotropy_threshold": 3,
    "memefficient_seg_resampling": False,
    "mode": "linear",
    "aniso_axis_mode": "nearest-exact",
}
"""Defaults of resample_torch_fornnunet; besides, it may be told a device and a number of threads."""
ALWAYS, NEVER = 0.0, 1e9
"""``separate_plane_ratio`` for ``force_separate_z`` true and false."""


def nnunet_preprocessing(
    plans: Mapping[str, Any], configuration: Mapping[str, Any], *, channels: int
) -> PreprocessingPlan:
    """Translate reader, transposition, normalisation and resampling.

    Args:
        plans: plans.json.
        configuration: of it, resolved.
        channels: image channels of the dataset.

    Raises:
        ModelError: any of it is not nnU-Net's own, or nothing that medarch can express.
    """
    _require(configuration.get("preprocessor_name"), ("DefaultPreprocessor",), "preprocessor")
    reader = _require(plans.get("image_reader_writer"), tuple(READERS), "reader")
    spacing = _spacing(configuration)
    resampling = [_resampling(configuration, stage) for stage in _STAGES]
    names = {str(configuration.get(f"resampling_fn_{stage}")) for stage in _STAGES}
    shared = {(entry["coarse_order"], entry["ratio"]) for entry in resampling}
    if len(shared) > 1 or ("no_resampling_hack" in names and len(names) > 1):
        raise _refusal("resampling", f"{names} with {shared}", "one rule for the coarse axis of images, labels, scores")
    image, label, score = resampling
    if label["order"] > 1 or label["coarse_order"] > 1:
        raise _refusal("resampling of labels", f"order {label['order']}, {label['coarse_order']}", "order 0 or 1")
    return PreprocessingPlan(
        orientation=READERS[reader],
        axes=_axes(plans.get("transpose_forward")),
        spacing_mm=(None, None, None) if names == {"no_resampling_hack"} else spacing,
        normalisation=_normalisation(plans, configuration, channels),
        image_order=int(image["order"]),
        label_order=int(label["order"]),
        score_order=int(score["order"]),
        separate_plane_ratio=image["ratio"],
        coarse_order=int(image["coarse_order"]),
    )


def _axes(transpose: Any) -> tuple[int, int, int]:
    if not isinstance(transpose, list | tuple) or sorted(transpose) != [0, 1, 2]:
        raise _refusal("transpose_forward", transpose, "a permutation of 0, 1, 2")
    # The readers index z, y, x: reader axis a is file axis 2 - a.
    first, second, third = (2 - axis for axis in transpose)
    return first, second, third


def _spacing(configuration: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    spacing = configuration.get("spacing")
    if not isinstance(spacing, list | tuple) or len(spacing) not in (2, 3) or not all(_is_positive(s) for s in spacing):
        raise _refusal("spacing", spacing, "2 or 3 positive numbers")
    numbers = [float(value) for value in spacing]
    # Slices of a 2D configuration are not resampled through the plane.
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else (None, numbers[0], numbers[1])


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _normalisation(
    plans: Mapping[str, Any], configuration: Mapping[str, Any], channels: int
) -> tuple[ChannelNormalisation, ...]:
    schemes, masks = configuration.get("normalization_schemes"), configuration.get("use_mask_for_norm")
    if not isinstance(schemes, list) or not isinstance(masks, list) or {len(schemes), len(masks)} != {channels}:
        raise _refusal("normalization_schemes", f"{schemes}, {masks}", f"one entry for each of {channels} channel(s)")
    old = plans.get("foreground_intensity_properties_by_modality", {})
    statistics = plans.get("foreground_intensity_properties_per_channel", old)
    found = []
    for number, (name, mask) in enumerate(zip(schemes, masks, strict=True)):
        scheme = _SCHEMES[_require(name, tuple(_SCHEMES), f"normalisation of channel {number}")]
        found.append(
            ChannelNormalisation(
                scheme=scheme,  # type: ignore[arg-type]
                statistics=_statistics(statistics, number) if scheme == "ct" else None,
                # Only the z-score looks at the mask.
                inside_mask=scheme == "zscore" and bool(mask),
            )
        )
    return tuple(found)


def _statistics(properties: Any, channel: int) -> IntensityStatistics:
    entry = properties.get(str(channel)) if isinstance(properties, Mapping) else None
    try:
        return IntensityStatistics.model_validate({key: entry[key] for key in IntensityStatistics.model_fields})  # type: ignore[index]
    except (TypeError, KeyError, ValidationError) as error:
        raise _refusal("intensity statistics", entry, "mean, std and percentiles of each channel with CT") from error


def _resampling(configuration: Mapping[str, Any], stage: str) -> dict[str, float]:
    """Return ``order``, ``coarse_order`` and ``ratio``."""
    name = str(configuration.get(f"resampling_fn_{stage}"))
    given = dict(configuration.get(f"resampling_fn_{stage}_kwargs") or {})
    if name == "no_resampling_hack":
        return {"order": 1, "coarse_order": 0, "ratio": 3.0}
    if name == "resample_data_or_seg_to_shape":
        known = _SPLINES
    elif name == "resample_torch_fornnunet":
        known = _LINEAR
        given = {key: value for key, value in given.items() if key not in ("num_threads", "device")}
    else:
        raise _refusal(f"resampling of {stage}", name, "resample_data_or_seg_to_shape or resample_torch_fornnunet")
    if unknown := sorted(set(given) - set(known)):
        raise _refusal(f"resampling of {stage}", ", ".join(unknown), ", ".join(known))
    settings: dict[str, Any] = dict(known) | given
    fixed: dict[str, Any] = {
        key: known[key] for key in ("memefficient_seg_resampling", "mode", "aniso_axis_mode") if key in known
    }
    fixed["is_seg"] = stage == "seg"
    for key, value in fixed.items():
        if settings[key] != value:
            raise _refusal(f"resampling of {stage}", f"{key}={settings[key]}", f"{key}={value}")
    order, coarse = settings.get("order", 1), settings.get("order_z", 0)
    if order not in range(6) or coarse not in range(6):
        raise _refusal(f"resampling of {stage}", f"order={order}, order_z={coarse}", "0 to 5")
    return {"order": order, "coarse_order": coarse, "ratio": _ratio(settings)}


def _ratio(settings: Mapping[str, Any]) -> float:
    forced = settings["force_separate_z"]
    if forced is None:
        return float(settings["separate_z_anisotropy_threshold"])
    return ALWAYS if forced else NEVER


def _require(value: Any, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise _refusal(what, value, ", ".join(known))
    return str(value)


def _refusal(what: str, found: object, expected: str) -> ModelError:
    return ModelError(
        f"{what} {found} cannot be reproduced",
        expected=expected,
        found=str(found)[:300],
        fix="predict with nnU-Net itself, or plan and train anew with medarch",
    )
