"""An affine sampling matrix as torch's ``F.affine_grid`` wants it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sampling_theta(
    matrix: np.ndarray, centre: np.ndarray, *, patch: Sequence[int], source: Sequence[int]
) -> np.ndarray:
    """``(3, 4)`` matrix for ``F.affine_grid`` (align_corners=False) that samples a patch from an array.

    Args:
        matrix: ``(3, 3)`` from a step in the patch to one in the array.
        centre: position of the patch's centre in voxels of the source array.
        patch: shape of the patch.
        source: shape of the source array.
    """
    half_patch, half_source = np.asarray(patch) / 2, np.asarray(source) / 2
    linear = matrix * half_patch / half_source[:, None]
    offset = (np.asarray(centre) + 0.5) / half_source - 1.0
    # torch lists coordinates last axis first.
    return np.concatenate([linear[::-1, ::-1], offset[::-1, None]], axis=1)
