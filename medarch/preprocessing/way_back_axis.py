"""The axis that is resampled apart on the way back to a file's grid."""

from __future__ import annotations

from medarch.core.prepared import PreparedCase
from medarch.preprocessing.separate_axis import separate_axis


def way_back_axis(record: PreparedCase) -> int | None:
    """Return the network axis along which the case's planes lie much further apart than its pixels, if there is one."""
    return separate_axis(record.spacing_mm, record.cropped_spacing_mm, ratio=record.separate_plane_ratio)
