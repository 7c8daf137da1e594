"""Steps that correct a label map after it was decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from medarch.core.postprocessing import KeepLargest


def apply_postprocessing(labels: np.ndarray, steps: Iterable[KeepLargest]) -> np.ndarray:
    """Apply steps in order.

    Args:
        labels: ``(I, J, K)`` integers, left unchanged.
        steps: what to do.

    Returns:
        ``(I, J, K)`` of the same type; ``labels`` itself when nothing changes.
    """
    for step in steps:
        labels = _keep_largest(labels, step.values)
    return labels


def _keep_largest(labels: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Set all but the largest component of ``values`` to background; components of one size all stay (as in nnU-Net).

    Voxels are connected through faces, edges and corners. Only the box that holds the values is looked at.
    """
    from scipy import ndimage

    wanted = np.zeros(int(labels.max(initial=0)) + 1, dtype=bool)
    wanted[[value for value in values if value < len(wanted)]] = True
    mask = wanted[labels]
    boxes = ndimage.find_objects(mask.view(np.int8))
    if not boxes or boxes[0] is None:
        return labels
    box = boxes[0]
    components, count = ndimage.label(mask[box], structure=np.ones((3,) * labels.ndim))
    sizes = np.bincount(components.ravel())[1:]
    lost = np.concatenate([[False], sizes < sizes.max()])
    if count == 1 or not lost.any():
        return labels
    result = labels.copy()
    result[box][lost[components]] = 0
    return result
