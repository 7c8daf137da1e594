"""From labels and maps to one row a nucleus."""

from __future__ import annotations

import numpy as np

from medarch.inference.nuclei.outlines import outlines
from medarch.io.nuclei.nuclei_part import NucleiPart


def describe_nuclei(
    labels: np.ndarray, probability: np.ndarray, types: np.ndarray, *, corner: tuple[int, int]
) -> NucleiPart:
    """Measure every labelled nucleus.

    Each number depends on the nucleus's own pixels in raster order and on nothing else, so that it is the same to the
    last bit whatever part of the slide it was seen in.

    Args:
        labels: ``(rows, columns)`` integers, 0 where there is none.
        probability: ``(rows, columns)`` of being nucleus.
        types: ``(t, rows, columns)`` probabilities of types; ``t`` may be 0.
        corner: row and column of the arrays' first pixel in the slide.
    """
    rows, columns = np.nonzero(labels)
    if not len(rows):
        return NucleiPart.empty(len(types))
    found, first, own = np.unique(labels[rows, columns], return_index=True, return_inverse=True)
    # Numbered by first pixel in raster order: nonzero's order is the raster's.
    order = np.argsort(first)
    number = np.empty(len(found), np.int64)
    number[order] = np.arange(len(found))
    own, first = number[own], first[order]
    count = len(found)
    area = np.bincount(own, minlength=count)
    low, high = np.empty((count, 2), np.int64), np.empty((count, 2), np.int64)
    for axis, places in enumerate((rows, columns)):
        low[:, axis], high[:, axis] = np.iinfo(np.int64).max, -1
        np.minimum.at(low[:, axis], own, places)
        np.maximum.at(high[:, axis], own, places)
    # Integer sums from the nucleus's own corner are exact.
    y, x = rows - low[own, 0], columns - low[own, 1]
    sums = {name: np.bincount(own, weights=value, minlength=count) for name, value in
            (("x", x), ("y", y), ("xx", x * x), ("yy", y * y), ("xy", x * y))}  # fmt: skip
    mean_x, mean_y = sums["x"] / area, sums["y"] / area
    axes, angle = _ellipse(
        sums["xx"] / area - mean_x**2, sums["yy"] / area - mean_y**2, sums["xy"] / area - mean_x * mean_y
    )
    shift = np.array(corner, np.int64)
    numbered = np.zeros(labels.shape, np.int64)
    numbered[rows, columns] = own + 1
    rings = outlines(numbered)
    run_nucleus, runs = _runs(rows, columns, own)
    return NucleiPart(
        first=np.stack((rows[first], columns[first]), axis=1) + shift,
        box=np.concatenate((low + shift, high + 1 + shift), axis=1),
        area=area.astype(np.int64),
        centroid=np.stack((low[:, 1] + corner[1] + mean_x + 0.5, low[:, 0] + corner[0] + mean_y + 0.5), axis=1),
        axes=axes,
        angle=angle,
        perimeter=np.bincount(rings.labels - 1, weights=rings.lengths, minlength=count),
        probability=np.bincount(own, weights=probability[rows, columns], minlength=count) / area,
        types=np.stack(
            [np.bincount(own, weights=plane[rows, columns], minlength=count) / area for plane in types], axis=1
        )
        if len(types)
        else np.empty((count, 0)),
        ring_nucleus=(rings.labels - 1).astype(np.int64),
        ring_start=rings.starts,
        points=rings.points + 2 * shift[::-1],
        run_nucleus=run_nucleus,
        runs=runs + np.array((corner[0], corner[1], corner[1])),
    )


def _ellipse(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes and angle of the ellipse with these central moments, pixels taken as points (as scikit-image does)."""
    half, root = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    axes = 4 * np.sqrt(np.stack((half + root, np.maximum(half - root, 0)), axis=1))
    return axes, 0.5 * np.arctan2(2 * xy, xx - yy)


def _runs(rows: np.ndarray, columns: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of equal pixels along rows: the nucleus of each, and row, first column and column behind the last."""
    breaks = (np.diff(own) != 0) | (np.diff(rows) != 0) | (np.diff(columns) != 1)
    starts = np.append(0, np.flatnonzero(breaks) + 1)
    ends = np.append(starts[1:], len(own)) - 1
    nucleus = own[starts]
    order = np.argsort(nucleus, kind="stable")
    return nucleus[order], np.stack((rows[starts], columns[starts], columns[ends] + 1), axis=1)[order]
