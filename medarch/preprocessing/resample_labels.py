"""Label maps on another grid of the same extent."""

from __future__ import annotations

import numpy as np

from medarch.core.geometry import Triple
from medarch.preprocessing.interpolation import interpolation_matrix, nearest_indices

TIE = 1e-5
"""Scores that differ by less are equal. Half-way points are common (an even factor puts one at every boundary)."""


def resample_labels(
    labels: np.ndarray, shape: Triple, *, order: int = 1, separate_axis: int | None = None, coarse_order: int = 0
) -> np.ndarray:
    """Resample a label map so that no new value can appear.

    With ``order`` 1 the indicator of each label is interpolated linearly and the largest one wins; a tie goes to the
    nearest voxel's label when that is among the tied ones, else to the lowest. This is nnU-Net with batchgenerators
    0.25.5; older versions wrote each label where its indicator reached 0.5, which left voxels between three labels
    empty. With ``order`` 0 the nearest voxel decides. Each label costs only its bounding box.

    Args:
        labels: ``(A0, A1, A2)`` integers; returned as it is when the shape does not change.
        shape: the wanted ``(N0, N1, N2)``.
        order: 0 or 1.
        separate_axis: this axis is resampled apart from the planes across it.
        coarse_order: 0 takes the nearest plane; 1 decides along that axis as ``order`` 1 does.

    Returns:
        ``(N0, N1, N2)`` of the same type.
    """
    if labels.shape == shape:
        return labels
    if order == 0:
        return _nearest(labels, shape)
    if separate_axis is None:
        return _by_largest_score(labels, shape)
    in_plane = list(shape)
    in_plane[separate_axis] = labels.shape[separate_axis]
    planes = _by_largest_score(labels, (in_plane[0], in_plane[1], in_plane[2]))
    if coarse_order:
        return _by_largest_score(planes, shape)
    return planes.take(nearest_indices(labels.shape[separate_axis], shape[separate_axis]), separate_axis)


def _by_largest_score(labels: np.ndarray, shape: Triple) -> np.ndarray:
    from scipy import ndimage

    lowest = int(labels.min())
    numbered = labels.astype(np.int32) - (lowest - 1)  # find_objects looks at positive values
    boxes = ndimage.find_objects(numbered)
    base = int(np.bincount(numbered.ravel()).argmax()) + lowest - 1
    nearest = _nearest(labels, shape)
    # The commonest label is not interpolated: indicators sum to 1, so its score is what the others leave.
    winner = np.full(shape, base, dtype=labels.dtype)
    best = np.zeros(shape, dtype=np.float32)
    left = np.ones(shape, dtype=np.float32)
    nearest_score = np.zeros(shape, dtype=np.float32)
    for index, box in enumerate(boxes):
        value = index + lowest
        if box is None or value == base:
            continue
        score, target = _indicator(labels[box] == value, box, labels.shape, shape)
        np.copyto(winner[target], value, where=score > best[target] + TIE)
        np.maximum(best[target], score, out=best[target])
        np.copyto(nearest_score[target], score, where=nearest[target] == value)
        left[target] -= score
    np.copyto(winner, base, where=(left > best + TIE) | ((left > best - TIE) & (winner > base)))
    np.copyto(nearest_score, left, where=nearest == base)
    np.maximum(best, left, out=best)
    np.copyto(winner, nearest, where=nearest_score > best - TIE)
    return winner


def _indicator(
    inside: np.ndarray, box: tuple[slice, ...], old: tuple[int, ...], new: Triple
) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Return the interpolated indicator of one label, and the target box outside which it is 0."""
    score = inside.astype(np.float32)
    target = []
    for axis in range(3):
        weights = interpolation_matrix(old[axis], new[axis], 1)[:, box[axis]]
        reached = np.flatnonzero(weights.any(axis=1))
        rows = slice(int(reached[0]), int(reached[-1]) + 1) if len(reached) else slice(0, 0)
        score = np.moveaxis(np.tensordot(weights[rows].astype(np.float32), score, axes=(1, axis)), 0, axis)
        target.append(rows)
    return score, tuple(target)


def _nearest(labels: np.ndarray, shape: Triple) -> np.ndarray:
    result: np.ndarray = labels[np.ix_(*map(nearest_indices, labels.shape, shape))]
    return result
