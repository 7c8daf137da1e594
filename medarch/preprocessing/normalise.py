"""Intensities of each channel brought to a common scale (nnU-Net's schemes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.plan import ChannelNormalisation

SMALLEST_SPREAD = 1e-8
"""Divisors are at least this large (nnU-Net's value for float32)."""


def normalise(
    images: np.ndarray, channels: Sequence[ChannelNormalisation], *, inside: np.ndarray | None = None
) -> None:
    """Normalise ``images`` in place, channel by channel.

    The rules are nnU-Net v2's. ``ct`` clips to the dataset's 0.5 and 99.5 percentiles and standardises with the
    dataset's mean and standard deviation; ``zscore`` standardises with those of this image, or of its voxels ``inside``
    and then changes these only; ``rescale_to_0_1`` uses this image's range; ``rgb_to_0_1`` divides by 255; ``none``
    does nothing.

    Args:
        images: ``(C, A0, A1, A2)`` float32, changed.
        channels: one entry a channel.
        inside: ``(A0, A1, A2)`` bool, for channels with ``inside_mask``.

    Raises:
        PreprocessingError: NaN or infinite intensities, RGB values outside 0..255, or statistics that are missing.
    """
    for image, channel in zip(images, channels, strict=True):
        if channel.scheme == "ct":
            _standardise_ct(image, channel)
        elif channel.scheme == "zscore":
            mask = inside if channel.inside_mask else None
            if mask is None or mask.all():
                _standardise(image)
            else:
                values = image[mask]
                if values.size:
                    _standardise(values)
                    image[mask] = values
        elif channel.scheme == "rescale_to_0_1":
            _rescale(image)
        elif channel.scheme == "rgb_to_0_1":
            _divide_rgb(image)


def _standardise(values: np.ndarray) -> None:
    values -= _finite(values.mean(dtype=np.float64))
    # The mean is gone, so the root mean square is the standard deviation: one pass, no temporary in float64.
    flat = values.ravel()
    spread = np.sqrt(np.einsum("n,n->", flat, flat, dtype=np.float64) / flat.size)
    values /= max(_finite(spread), SMALLEST_SPREAD)


def _standardise_ct(image: np.ndarray, channel: ChannelNormalisation) -> None:
    statistics = channel.statistics
    if statistics is None:
        raise PreprocessingError(
            "CT normalisation without intensity statistics",
            expected="`statistics` in the plan's normalisation of that channel",
            found="none",
            fix="plan again, or copy the channel's entry of fingerprint.json into the plan",
        )
    np.clip(image, statistics.percentile_00_5, statistics.percentile_99_5, out=image)
    _finite(image.max())  # clipping stops infinities, but NaN would go on into the network
    image -= statistics.mean
    image /= max(statistics.std, SMALLEST_SPREAD)


def _rescale(image: np.ndarray) -> None:
    image -= _finite(image.min())
    image /= max(_finite(image.max()), SMALLEST_SPREAD)


def _divide_rgb(image: np.ndarray) -> None:
    low, high = _finite(image.min()), _finite(image.max())
    if low < 0 or high > 255:
        raise PreprocessingError(
            "these are no RGB intensities",
            expected="values in 0..255",
            found=f"{low:g}..{high:g}",
            fix="rename the channel in dataset.json (e.g. `zscore`), or export the images as 8 bit",
        )
    image /= 255.0


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise PreprocessingError(
            "an image holds NaN or infinite intensities",
            expected="finite numbers",
            found=str(value),
            fix="find the voxels with `medarch check` and correct the file",
        )
    return float(value)
