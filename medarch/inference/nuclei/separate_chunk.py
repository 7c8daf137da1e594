"""The nuclei that belong to one chunk, the same whatever the chunks are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.separation import Separation
from medarch.inference.nuclei.describe_nuclei import describe_nuclei
from medarch.inference.nuclei.tile_store import TileStore
from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

FIRST_HALO = 64
"""Pixels seen around a chunk at first; doubled as long as a component of its foreground reaches out of sight."""
LARGEST_COMPONENT = 1024
"""A component of foreground (touching nuclei) longer than this, 256 µm at 0.25 µm, is separated square by square on a
lattice of this many pixels from the slide's corner: nothing of a slide has to be held whole."""

_SQUARE = np.ones((3, 3), bool)
Box = tuple[int, int, int, int]
"""First row and column, row and column behind the last."""


@dataclass(frozen=True)
class ChunkTask:
    """All that is needed to post-process a chunk in another process."""

    store: TileStore
    separation: Separation
    size: tuple[int, int]
    """Rows and columns of the whole view."""
    chunk: Box


def reach(separation: Separation) -> int:
    """How far around a chunk maps may be needed."""
    return LARGEST_COMPONENT + _near(separation) + 1


def _near(separation: Separation) -> int:
    """How far outside of a component distances matter: half the slope's kernel, and the smoothing after it."""
    return separation.slope_pixels // 2 + 2


def separate_chunk(task: ChunkTask) -> tuple[NucleiPart, int]:
    """Return the nuclei whose first pixel (in raster order) lies in the chunk, and how many were cut by the lattice.

    Every component of foreground is separated whole or, if it is longer than :data:`LARGEST_COMPONENT`, by squares of
    a fixed lattice; which of the two, every chunk that meets the component can tell from what it sees, and tells alike.
    Components never see each other. So nuclei are those of the whole slide done at once.
    """
    halo = FIRST_HALO
    while True:
        window = _grown(task, halo)
        maps = task.store.read(*window, channels=slice(3))
        components, count = _components(maps[0] >= task.separation.nucleus_threshold)
        met = _met(components, count, task.chunk, window)
        long = _long(components, count, met, window, task)
        if not long.any() or halo >= reach(task.separation):
            break
        halo = min(halo * 2, reach(task.separation))
    if not met.any():
        return NucleiPart.empty(task.store.channels - 3), 0
    labels = _separated(task.separation, maps, components, met & ~long)
    cut: set[int] = set()
    if long.any():
        cut = _separate_by_lattice(task, window, maps, long[components], labels, components > 0)
    return _described(task, window, maps[0], labels, cut)


def _grown(task: ChunkTask, halo: int) -> Box:
    top, left, bottom, right = task.chunk
    rows, columns = task.size
    return max(top - halo, 0), max(left - halo, 0), min(bottom + halo, rows), min(right + halo, columns)


def _components(foreground: np.ndarray) -> tuple[np.ndarray, int]:
    from scipy import ndimage

    components, count = ndimage.label(foreground, _SQUARE)
    return components, int(count)


def _met(components: np.ndarray, count: int, chunk: Box, window: Box) -> np.ndarray:
    """Which components have a pixel in the chunk; ``(count + 1,)``, the first for background."""
    inside = components[chunk[0] - window[0] : chunk[2] - window[0], chunk[1] - window[1] : chunk[3] - window[1]]
    met = np.zeros(count + 1, bool)
    met[np.unique(inside)] = True
    met[0] = False
    return met


def _long(components: np.ndarray, count: int, met: np.ndarray, window: Box, task: ChunkTask) -> np.ndarray:
    """Which of the components met reach out of sight or are longer than allowed."""
    from scipy import ndimage

    long = np.zeros(count + 1, bool)
    near = _near(task.separation)
    rows, columns = components.shape
    edges = (
        window[0] > 0 and near,
        window[1] > 0 and near,
        rows - (window[2] < task.size[0] and near),
        columns - (window[3] < task.size[1] and near),
    )
    for number, box in enumerate(ndimage.find_objects(components), start=1):
        if met[number]:
            down, across = box
            out = down.start < edges[0] or across.start < edges[1] or down.stop > edges[2] or across.stop > edges[3]
            too_long = max(down.stop - down.start, across.stop - across.start) > LARGEST_COMPONENT
            long[number] = out or too_long
    return long


def _separated(separation: Separation, maps: np.ndarray, components: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Labels of the wanted components; what one of them encloses is separated on its own."""
    from scipy import ndimage

    labels = np.zeros(components.shape, np.int64)
    left = wanted[components]
    while left.any():
        groups, count = ndimage.label(ndimage.binary_fill_holes(left), _SQUARE)
        # Of the components in one filled group the outer one holds the group's first pixel.
        outer = np.zeros(len(wanted), bool)
        flat = groups.ravel()
        first = np.full(count + 1, -1)
        places = np.flatnonzero(flat)
        first[flat[places][::-1]] = places[::-1]
        outer[components.ravel()[first[1:]]] = True
        now = outer[components] & left
        found = separate_nuclei(np.where(now, maps[0], 0), maps[1:3], separation)
        found = _kept_to(found, now | (components == 0))
        labels = np.where(found > 0, found.astype(np.int64) + labels.max(), labels)
        left &= ~now
    return labels


def _kept_to(found: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """A hole that was filled may reach over background, never over another component, nor in pieces beyond one."""
    from skimage.measure import label

    cut = np.unique(found[(found > 0) & ~allowed])
    found = np.where(allowed, found, 0)
    if len(cut):
        pieces = label(np.where(np.isin(found, cut), found, 0), connectivity=1)
        owner = np.zeros(int(pieces.max()) + 1, found.dtype)
        owner[pieces] = found
        areas = np.bincount(pieces.ravel())
        # Of each nucleus the largest piece stays; of equals the one that begins first.
        order = np.lexsort((-np.arange(len(areas)), areas, owner))
        last = np.append(owner[order][1:] != owner[order][:-1], True)
        found[~np.isin(pieces, order[last]) & (pieces > 0)] = 0
    return found


def _separate_by_lattice(
    task: ChunkTask, window: Box, maps: np.ndarray, long: np.ndarray, labels: np.ndarray, foreground: np.ndarray
) -> set[int]:
    """Add the labels of long components, square by square; return those that touch the edge of their square."""
    side, near = LARGEST_COMPONENT, _near(task.separation)
    top, left, bottom, right = task.chunk
    cut = set()
    for row in range(top // side * side, bottom, side):
        for column in range(left // side * side, right, side):
            square = (row, column, min(row + side, task.size[0]), min(column + side, task.size[1]))
            around = (square[0] - near, square[1] - near, square[2] + near, square[3] + near)
            outer, outer_slices = _part(around, window)
            inner = tuple(
                slice(low - first, high - first)
                for low, high, first in zip(square[:2], square[2:], outer[:2], strict=True)
            )
            own = np.zeros(long[outer_slices].shape, bool)
            own[inner] = long[outer_slices][inner]
            if not own.any():
                continue
            seen = maps[(slice(None), *outer_slices)]
            found = separate_nuclei(np.where(own, seen[0], 0), seen[1:3], task.separation).astype(np.int64)
            found = _kept_to(found, own | ~foreground[outer_slices])
            kept = np.zeros_like(own)
            kept[inner] = True
            found[~kept] = 0
            found[found > 0] += labels.max()
            target = labels[outer_slices]
            target[found > 0] = found[found > 0]
            rim = found[inner].copy()
            rim[1:-1, 1:-1] = 0
            cut.update(np.unique(rim[rim > 0]).tolist())
    return cut


def _part(box: Box, window: Box) -> tuple[Box, tuple[slice, slice]]:
    """What of a box lies in the window, and the slices of it."""
    top, left = max(box[0], window[0]), max(box[1], window[1])
    bottom, right = min(box[2], window[2]), min(box[3], window[3])
    return (top, left, bottom, right), (
        slice(top - window[0], bottom - window[0]),
        slice(left - window[1], right - window[1]),
    )


def _described(
    task: ChunkTask, window: Box, probability: np.ndarray, labels: np.ndarray, cut: set[int]
) -> tuple[NucleiPart, int]:
    """The nuclei whose first pixel lies in the chunk, and how many of them were cut."""
    flat = labels.ravel()
    places = np.flatnonzero(flat)
    found, first = np.unique(flat[places], return_index=True)
    rows, columns = np.divmod(places[first], labels.shape[1])
    top, left, bottom, right = task.chunk
    own = (rows >= top - window[0]) & (rows < bottom - window[0])
    own &= (columns >= left - window[1]) & (columns < right - window[1])
    keep = np.zeros(int(labels.max()) + 1, bool)
    keep[found[own]] = True
    kept = np.where(keep[labels], labels, 0)
    if not kept.any():
        return NucleiPart.empty(task.store.channels - 3), 0
    used_rows, used_columns = np.flatnonzero(kept.any(axis=1)), np.flatnonzero(kept.any(axis=0))
    box = (used_rows[0], used_columns[0], used_rows[-1] + 1, used_columns[-1] + 1)
    slices = (slice(box[0], box[2]), slice(box[1], box[3]))
    corner = (int(window[0] + box[0]), int(window[1] + box[1]))
    end = (int(window[0] + box[2]), int(window[1] + box[3]))
    types = task.store.read(*corner, *end, channels=slice(3, None))
    part = describe_nuclei(kept[slices], probability[slices], types, corner=corner)
    return part, len(cut.intersection(found[own].tolist()))
