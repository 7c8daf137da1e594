"""Nuclei as a label image: a tiled OME-TIFF with reduced levels."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medarch.core.files import atomic_path
from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.numbered_parts import NumberedPart

TILE = 512
_KEPT_NUCLEI = 200_000
"""Nuclei of parts that stay in memory between tiles."""
_COMPRESSION_LEVEL = 4


def write_label_image(
    target: Path, numbered: Sequence[Sequence[NumberedPart]], *, size: tuple[int, int], mpp: float, identity: str
) -> None:
    """Write the numbers of the nuclei as uint32 in pixels of the network's view, tile by tile.

    Reduced levels hold every second pixel of the one before. One tile is in memory at a time.

    Args:
        target: ``.ome.tif``, written whole or not at all.
        numbered: the parts.
        size: ``(width, height)``.
        mpp: micrometres a pixel.
        identity: a UUID that says what the file holds, so that equal files have equal bytes.
    """
    import tifffile

    painter = _Painter([part for line in numbered for part in line])
    width, height = size
    levels = 1
    while max(width, height) >> (levels - 1) > 2 * TILE:
        levels += 1
    metadata = {"axes": "YX", "PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp,
                "PhysicalSizeYUnit": "µm", "Name": "nuclei", "UUID": identity}  # fmt: skip
    options: dict[str, Any] = {
        "dtype": np.uint32,
        "tile": (TILE, TILE),
        "compression": "zlib",
        "photometric": "minisblack",
        "software": "medarch",
    }
    # Always BigTIFF: compressed sizes are not known beforehand.
    with (
        atomic_path(target) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=True, ome=True, byteorder="<") as writer,
    ):
        for level in range(levels):
            shape = (-(-height // 2**level), -(-width // 2**level))
            extra = {"metadata": metadata, "subifds": levels - 1} if level == 0 else {"subfiletype": 1}
            writer.write(_tiles(painter, shape, 2**level), shape=shape, **extra, **options)


def _tiles(painter: _Painter, shape: tuple[int, int], step: int) -> Iterator[bytes]:
    """Compressed tiles of a level in raster order; the empty ones, which are many, are compressed once."""
    empty = zlib.compress(bytes(TILE * TILE * 4), _COMPRESSION_LEVEL)
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            tile = painter.paint(top, left, step)
            yield empty if tile is None else zlib.compress(tile.astype("<u4").data, _COMPRESSION_LEVEL)


class _Painter:
    """Draws nuclei into tiles, keeping the parts that were used last."""

    def __init__(self, parts: list[NumberedPart]) -> None:
        self._parts = parts
        self._boxes = np.array([part.box for part in parts], np.int64).reshape(-1, 4)
        self._kept: OrderedDict[int, tuple[NucleiPart, np.ndarray]] = OrderedDict()

    def paint(self, top: int, left: int, step: int) -> np.ndarray | None:
        """A tile ``(TILE, TILE)`` whose corner has these coordinates in a level of every ``step``-th pixel; None if
        it is empty.
        """
        box = np.array((top, left, top + TILE, left + TILE)) * step
        meet = (self._boxes[:, :2] < box[2:]).all(axis=1) & (self._boxes[:, 2:] > box[:2]).all(axis=1)
        canvas = np.zeros((TILE, TILE), np.uint32)
        for index in np.flatnonzero(meet).tolist():
            _draw(canvas, *self._load(index), box=box, step=step)
        return canvas if canvas.any() else None

    def _load(self, index: int) -> tuple[NucleiPart, np.ndarray]:
        if index not in self._kept:
            self._kept[index] = self._parts[index].load()
            while sum(len(part) for part, _ in self._kept.values()) > _KEPT_NUCLEI and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]


def _draw(canvas: np.ndarray, part: NucleiPart, numbers: np.ndarray, *, box: np.ndarray, step: int) -> None:
    rows, starts, ends = part.runs.T
    inside = (rows >= box[0]) & (rows < box[2]) & (rows % step == 0) & (ends > box[1]) & (starts < box[3])
    chosen = np.flatnonzero(inside)
    # Columns that are a multiple of the step, from each run's first inside the tile to its last.
    first = -(-(np.maximum(starts[chosen], box[1]) - box[1]) // step)
    last = -(-(np.minimum(ends[chosen], box[3]) - box[1]) // step)
    lengths = np.maximum(last - first, 0)
    offset = np.repeat(first - np.append(0, np.cumsum(lengths)[:-1]), lengths)
    columns = np.arange(int(lengths.sum())) + offset
    canvas[np.repeat((rows[chosen] - box[0]) // step, lengths), columns] = np.repeat(
        numbers[part.run_nucleus[chosen]], lengths
    )
