"""A fingerprint as nnU-Net v2's dataset_fingerprint.json."""

from __future__ import annotations

from typing import Any

from medarch.core.fingerprint import Fingerprint
from medarch.interop.nnunet_reader import reader_order


def export_fingerprint(fingerprint: Fingerprint, *, orientation: str | None) -> dict[str, Any]:
    """Return the content of the file, axes in the order in which nnU-Net's reader gives them.

    Args:
        fingerprint: of a dataset.
        orientation: the plan's; ``RAS`` means a reader that turns images.
    """
    orders = [reader_order(case, orientation) for case in fingerprint.cases]
    cases = list(zip(fingerprint.cases, orders, strict=True))
    return {
        "foreground_intensity_properties_per_channel": {
            str(index): statistics.model_dump() for index, statistics in enumerate(fingerprint.intensities)
        },
        "median_relative_size_after_cropping": fingerprint.median_relative_size_after_crop,
        "shapes_after_crop": [[case.shape_after_crop[axis] for axis in order] for case, order in cases],
        "spacings": [[case.spacing_mm[axis] for axis in order] for case, order in cases],
    }
