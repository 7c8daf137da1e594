"""How each channel is normalised, by its name (nnU-Net's rule)."""

from __future__ import annotations

from typing import Literal

from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import ChannelNormalisation

Scheme = Literal["ct", "zscore", "none", "rescale_to_0_1", "rgb_to_0_1"]
MASK_BELOW = 0.75
"""Statistics come from inside the nonzero mask when the crop keeps less than this share of the volume."""
_BY_NAME: dict[str, Scheme] = {
    "ct": "ct",
    "nonorm": "none",
    "zscore": "zscore",
    "rescale_to_0_1": "rescale_to_0_1",
    "rgb_to_0_1": "rgb_to_0_1",
}


def choose_normalisation(fingerprint: Fingerprint, channels: tuple[str, ...]) -> tuple[ChannelNormalisation, ...]:
    """Choose by channel name, letter case ignored; a name that is not a scheme means z-score of the single image."""
    masked = fingerprint.median_relative_size_after_crop < MASK_BELOW
    schemes = [_BY_NAME.get(name.casefold(), "zscore") for name in channels]
    return tuple(
        ChannelNormalisation(
            scheme=scheme,
            statistics=statistics if scheme == "ct" else None,
            inside_mask=masked and scheme == "zscore",
        )
        for scheme, statistics in zip(schemes, fingerprint.intensities, strict=True)
    )
