"""TIFF and OME-TIFF, page by page through tifffile: only the tiles that a region needs are decoded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from medarch.core.errors import SlideError
from medarch.io.slides.slide import Slide, SlideLevel

_TO_MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "in": 25400.0}
_RESOLUTION_UNITS_UM = {2: 25400.0, 3: 10000.0}
"""TIFF's ResolutionUnit: inch, centimetre."""
_KEPT_TILES = 128


class TiffReader(Slide):
    """The first picture of the file and its reduced copies. Pixel size from the OME-XML, else from the resolution tags.

    OpenSlide sees one level and no pixel size in an OME-TIFF.
    """

    reader = "tiff"

    def __init__(self, path: Path) -> None:
        import tifffile

        self._file = tifffile.TiffFile(path)
        series = self._file.series[0]
        self._levels = [_pages(level, path) for level in series.levels]
        sizes = [(int(pages[0].imagewidth), int(pages[0].imagelength)) for pages in self._levels]
        super().__init__(
            path,
            tuple(SlideLevel(size, (sizes[0][0] / size[0] + sizes[0][1] / size[1]) / 2) for size in sizes),
            mpp=_ome_mpp(self._file.ome_metadata) if self._file.is_ome else _tag_mpp(self._levels[0][0]),
        )
        self._tile = lru_cache(maxsize=_KEPT_TILES)(self._decode)

    def _decode(self, level: int, plane: int, index: int) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """A tile or strip ``(rows, columns, samples)`` and where it lies: ``(sample, row, column)``."""
        page = self._levels[level][plane]
        count = page.databytecounts[index]
        content = None
        if count:
            handle = self._file.filehandle
            handle.seek(page.dataoffsets[index])
            content = handle.read(count)
            if len(content) < count:
                raise SlideError(
                    f"{self.path} is cut short",
                    expected=f"{count} bytes of tile {index}",
                    found=f"{len(content)} bytes",
                    fix="copy the slide again from its source",
                )
        segment, (sample, _, row, column, _), shape = page.decode(content, index, jpegtables=page.jpegtables)
        if segment is None:  # a tile that was never written
            return None, (sample, row, column)
        return segment[0, : shape[1], : shape[2]], (sample, row, column)

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        pages = self._levels[level]
        canvas = np.full((height, width, 3), 255, np.uint8)
        for plane, page in enumerate(pages):
            for index in _segments(page, x, y, width, height):
                tile, (sample, row, column) = self._tile(level, plane, index)
                if tile is None:
                    continue
                top, left = max(row, y), max(column, x)
                bottom, right = min(row + tile.shape[0], y + height), min(column + tile.shape[1], x + width)
                if bottom <= top or right <= left:
                    continue
                part = tile[top - row : bottom - row, left - column : right - column]
                target = canvas[top - y : bottom - y, left - x : right - x]
                if part.shape[-1] == 1 and _planes(pages) == 3:
                    target[..., plane + sample] = part[..., 0]
                else:
                    target[...] = part[..., :3]
        return canvas

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _planes(pages: list[Any]) -> int:
    """How many one-colour planes make the picture: pages of one sample each, or separate samples of one page."""
    page = pages[0]
    return len(pages) if len(pages) > 1 else (int(page.samplesperpixel) if page.planarconfig == 2 else 1)


def _pages(level: Any, path: Path) -> list[Any]:
    """The page of an RGB level, or its three pages of one colour each."""
    pages = [page.aspage() for page in level.pages]
    first = pages[0]
    samples = int(first.samplesperpixel)
    if first.dtype == np.uint8 and ((len(pages) == 1 and samples in (1, 3, 4)) or (len(pages) == 3 and samples == 1)):
        return pages
    raise SlideError(
        f"{path} is not a colour slide",
        expected="one plane of 8-bit RGB",
        found=f"{len(pages)} page(s) of {samples} sample(s), {first.dtype}, axes {level.axes}",
        fix="export the H&E picture as 8-bit RGB",
    )


def _segments(page: Any, x: int, y: int, width: int, height: int) -> list[int]:
    """Indices of the tiles or strips that a region touches."""
    if page.is_tiled:
        tile_width, tile_height = int(page.tilewidth), int(page.tilelength)
    else:
        tile_width, tile_height = int(page.imagewidth), int(page.rowsperstrip)
    across, down = -(-int(page.imagewidth) // tile_width), -(-int(page.imagelength) // tile_height)
    rows = range(y // tile_height, min((y + height - 1) // tile_height, down - 1) + 1)
    columns = range(x // tile_width, min((x + width - 1) // tile_width, across - 1) + 1)
    planes = int(page.samplesperpixel) if page.planarconfig == 2 else 1
    return [(plane * down + row) * across + column for plane in range(planes) for row in rows for column in columns]


def _ome_mpp(text: str | None) -> tuple[float, float] | None:
    """``PhysicalSizeX/Y`` of the first image of the OME-XML."""
    try:
        root = ElementTree.fromstring(text or "")
    except ElementTree.ParseError:
        return None
    pixels = next((node for node in root.iter() if node.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    sizes = []
    for axis in "XY":
        value, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if value is None or unit not in _TO_MICROMETRES:
            return None
        sizes.append(float(value) * _TO_MICROMETRES[unit])
    return sizes[0], sizes[1]


def _tag_mpp(page: Any) -> tuple[float, float] | None:
    """From ``XResolution``, ``YResolution`` and ``ResolutionUnit``."""
    tags = page.tags
    unit = _RESOLUTION_UNITS_UM.get(int(tags.valueof("ResolutionUnit", default=2)))
    rationals = [tags.valueof(name) for name in ("XResolution", "YResolution")]
    if unit is None or any(not value or not value[0] or not value[1] for value in rationals):
        return None
    x, y = (unit * value[1] / value[0] for value in rationals)
    return x, y
