"""Outlines of labelled regions, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Sides of a pixel, clockwise: top, right, bottom, left. Going along a side with the region at the right hand:
_AHEAD = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
_OUTWARD = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
_MIDPOINT_X2 = np.array([[1, 0], [2, 1], [1, 2], [0, 1]])
"""Of each side, (x, y) times two, from the pixel's corner."""


@dataclass(frozen=True)
class Outlines:
    """Rings around regions, in order of their labels, each region's outer ring first."""

    labels: np.ndarray
    """``(r,)`` of each ring."""
    starts: np.ndarray
    """``(r + 1,)`` where its points start."""
    points: np.ndarray
    """``(p, 2)`` x and y times two."""
    lengths: np.ndarray
    """``(r,)`` of each ring in pixels."""


def outlines(labels: np.ndarray) -> Outlines:
    """Trace every region of ``(rows, columns)`` integer labels; 0 is background.

    An outline goes through the middles of the pixel sides that part the region from what is not it, so that every
    pixel's centre lies inside or outside as its label says; no middle is passed twice, so that rings are simple and
    never touch. Regions have to be 4-connected.

    Which rings exist and where they start depends on the region alone, not on the picture around it: a ring starts at
    the top of its first pixel in raster order.
    """
    padded = np.pad(labels, 1)
    width = padded.shape[1]
    flat = padded.ravel()
    inside = np.flatnonzero(flat)
    ahead = _AHEAD @ (width, 1)
    outward = _OUTWARD @ (width, 1)
    edges = []
    for side in range(4):
        free = inside[flat[inside + outward[side]] != flat[inside]]
        edges.append(free * 4 + side)
    keys = np.sort(np.concatenate(edges))
    if not len(keys):
        return Outlines(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty((0, 2), np.int64), np.empty(0))
    pixels, sides = np.divmod(keys, 4)
    own = flat[pixels]
    straight = pixels + ahead[sides]
    diagonal = straight + outward[sides]
    goes_on = flat[straight] == own
    turns_out = goes_on & (flat[diagonal] == own)
    following = np.where(
        turns_out,
        diagonal * 4 + (sides + 3) % 4,
        np.where(goes_on, straight * 4 + sides, pixels * 4 + (sides + 1) % 4),
    )
    after = np.searchsorted(keys, following)
    ring, place = _ranked(after)
    # Keys grow with the raster, so a region's outer ring, which holds its first pixel's top, has its smallest key.
    order = np.lexsort((place, ring, own))
    ring, own, pixels, sides = ring[order], own[order], pixels[order], sides[order]
    rows, columns = np.divmod(pixels, width)
    points = np.stack((columns - 1, rows - 1), axis=1) * 2 + _MIDPOINT_X2[sides]
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    return _without_straight_points(points, starts, own[starts])


def _ranked(after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each element of a permutation: the smallest element of its cycle, and its steps from there."""
    count = len(after)
    smallest, jump = np.arange(count), after.copy()
    while True:
        better = np.minimum(smallest, smallest[jump])
        if np.array_equal(better, smallest):
            break
        smallest, jump = better, jump[jump]
    before = np.empty(count, np.int64)
    before[after] = np.arange(count)
    first = smallest == np.arange(count)
    before[first] = np.flatnonzero(first)
    steps = (~first).astype(np.int64)
    while True:
        further = steps + steps[before]
        if np.array_equal(further, steps):
            return smallest, steps
        steps, before = further, before[before]


def _without_straight_points(points: np.ndarray, starts: np.ndarray, labels: np.ndarray) -> Outlines:
    counts = np.diff(np.append(starts, len(points)))
    ring = np.repeat(np.arange(len(starts)), counts)
    last = starts + counts - 1
    following = np.arange(1, len(points) + 1)
    following[last] = starts
    previous = np.arange(-1, len(points) - 1)
    previous[starts] = last
    out = points[following] - points
    corner = (out != points - points[previous]).any(axis=1)
    # A step is 1 pixel straight on or half a diagonal; counted, not summed, so that the order of adding is no matter.
    diagonal = (out != 0).all(axis=1)
    slanted = np.bincount(ring, weights=diagonal, minlength=len(starts))
    lengths = slanted * np.sqrt(0.5) + (counts - slanted)
    kept = np.bincount(ring, weights=corner, minlength=len(starts)).astype(np.int64)
    return Outlines(labels, np.append(0, np.cumsum(kept)), points[corner], lengths)
