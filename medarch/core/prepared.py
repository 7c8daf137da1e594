"""A prepared case: what was done to it, so that it can be undone exactly."""

from __future__ import annotations

from typing import Literal

from medarch.core.geometry import Geometry, Triple
from medarch.core.record import Record

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class PreparedCase(Record):
    """The way from a file's grid to the network's grid: read the fields downwards to go there, upwards to return.

    "Network axes" are the file's axes after reorientation and transposition.
    """

    schema_version: Literal[1] = 1
    id: str
    geometry: Geometry
    """Grid of the input file."""
    permutation: Triple
    """Network axis ``n`` is file axis ``permutation[n]`` (reorientation and transposition in one)."""
    flips: tuple[bool, bool, bool]
    """Network axes that run against the file's."""
    full_shape: Triple
    """Shape along network axes before the crop."""
    crop: Box
    """Half-open ranges along network axes that were kept."""
    cropped_shape: Triple
    cropped_spacing_mm: tuple[float, float, float]
    shape: Triple
    """Shape after resampling: the network's grid."""
    spacing_mm: tuple[float, float, float]
    separate_plane_ratio: float = 3.0
    """The recipe's ratio of spacings above which the coarse axis is resampled on its own, also on the way back."""
    score_order: int = 1
    """The recipe's degree for logits on the way back."""
    coarse_order: int = 0
    """The recipe's degree along a coarse axis that is resampled on its own, also on the way back."""
    source_sha256: str = ""
    """Hash of the bytes of the case's files."""
    recipe_sha256: str = ""
    """Hash of the PreprocessingPlan and the label scheme."""
