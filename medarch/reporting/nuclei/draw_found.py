"""An image of nuclei with outlines that say which were found."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import MATCH_IOU
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage

MATCHED, UNMATCHED = (0, 229, 255), (255, 222, 0)
"""Colours that neither haematoxylin nor eosin has, apart for the colour-blind, too."""
LARGEST_PIXELS = 384
"""A larger image is shown in part."""
DRAWN_PIXELS = 768
"""About so many along the longer side of a picture."""


@dataclass(frozen=True)
class FoundPicture:
    """PNG files of one size: the image, and transparent ones with outlines."""

    image: bytes
    reference: bytes
    found: bytes
    size: tuple[int, int]
    """Columns and rows."""
    part: tuple[int, int, int, int] | None
    """First column, first row, columns and rows of the image's part that is shown; None: it is shown whole."""


def draw_found(image: NucleiImage, found: np.ndarray) -> FoundPicture:
    """Draw outlines in one colour where reference and result match (IoU above one half), else in another.

    Of a large image the part with the most nuclei, in either reading, is shown.

    Args:
        image: with the reference.
        found: ``(J, I)`` instances.
    """
    box = _busiest((image.instances > 0) | (found > 0))
    table = overlap_table(image.instances, found)
    hits = table.iou > MATCH_IOU
    pixels, truth, result = image.image[box], image.instances[box], found[box]
    zoom = max(1, DRAWN_PIXELS // max(truth.shape))
    rows, columns = (side * zoom for side in truth.shape)
    whole = truth.shape == found.shape
    return FoundPicture(
        _png(_enlarged(pixels, zoom)),
        _png(_outlines(truth, table.truth_numbers[table.truth_index[hits]], zoom)),
        _png(_outlines(result, table.found_numbers[table.found_index[hits]], zoom)),
        (columns, rows),
        None if whole else (box[1].start, box[0].start, truth.shape[1], truth.shape[0]),
    )


def _busiest(nuclei: np.ndarray) -> tuple[slice, slice]:
    """The window with the most pixels of nuclei, of those half a window apart."""
    sides = [min(size, LARGEST_PIXELS) for size in nuclei.shape]
    starts = [
        [*range(0, size - side, max(1, side // 2)), size - side] for size, side in zip(nuclei.shape, sides, strict=True)
    ]
    boxes = [(slice(top, top + sides[0]), slice(left, left + sides[1])) for top in starts[0] for left in starts[1]]
    return max(boxes, key=lambda box: int(nuclei[box].sum()))


def _outlines(labels: np.ndarray, matched: np.ndarray, zoom: int) -> np.ndarray:
    """``(rows, columns, 4)``: the outermost pixels of each enlarged nucleus."""
    large = _enlarged(labels, zoom)
    padded = np.pad(large, 1, mode="edge")
    edge = np.zeros(large.shape, bool)
    for shifted in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        edge |= large != shifted
    edge &= large > 0
    drawn = np.zeros((*large.shape, 4), np.uint8)
    drawn[edge] = (*UNMATCHED, 255)
    drawn[edge & np.isin(large, matched)] = (*MATCHED, 255)
    return drawn


def _enlarged(array: np.ndarray, zoom: int) -> np.ndarray:
    return array.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
