"""Which voxels of the network's grid decide about a region of the file's grid."""

from __future__ import annotations

import numpy as np

from medarch.core.prepared import PreparedCase
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.score_lines import ScoreLine, score_lines


def needed_samples(region: np.ndarray, record: PreparedCase) -> np.ndarray:
    """Return the voxels whose scores any voxel of the region is interpolated from.

    Args:
        region: ``(I, J, K)`` bool on the file's grid.
        record: the way the case came.

    Returns:
        ``(N0, N1, N2)`` bool on the network's grid. Scores elsewhere have no influence on the region's labels.
    """
    turned = network_view(region, permutation=record.permutation, flips=record.flips)
    found = turned[tuple(slice(*ends) for ends in record.crop)]
    for axis, line in enumerate(score_lines(record)):
        found = _along(found, axis, line)
    return np.ascontiguousarray(found)


def _along(region: np.ndarray, axis: int, line: ScoreLine) -> np.ndarray:
    """Each network sample is needed by a run of file samples; any of them counts."""
    samples = np.arange(line.weights.shape[1])
    begin = np.searchsorted(np.maximum.accumulate(line.last), samples)
    end = np.searchsorted(np.minimum.accumulate(line.first[::-1])[::-1], samples, side="right")
    size = region.shape[axis]
    # A spare plane at the end keeps the last run's end a valid index; a run without file samples is needed by none.
    padded = np.concatenate([region, np.zeros_like(region.take([0], axis))], axis)
    edges = np.stack([np.minimum(begin, size), np.minimum(np.maximum(end, begin), size)], axis=1).ravel()
    found: np.ndarray = np.logical_or.reduceat(padded, edges, axis=axis)
    found = found.take(np.arange(0, len(edges), 2), axis)
    empty = [slice(None)] * 3
    empty[axis] = end <= begin  # type: ignore[call-overload]
    found[tuple(empty)] = False
    return found
