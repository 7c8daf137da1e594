"""An image or a volume of nuclei with outlines that say which were found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    view: str = ""
    """Which plane of a volume it is; empty for an image."""


def draw_found(image: NucleiImage, found: np.ndarray) -> FoundPicture:
    """Draw outlines in one colour where reference and result match (IoU above one half), else in another.

    Of a large image the part with the most nuclei, in either reading, is shown.

    Args:
        image: with the reference.
        found: ``(J, I)`` instances.
    """
    return _draw(image.image, image.instances, found, _matched(image.instances, found))


def draw_found_volume(
    image: NucleiImage, found: np.ndarray, *, spacing: Sequence[float], names: Sequence[str] = ("0", "1", "2")
) -> tuple[FoundPicture, ...]:
    """Draw the middle plane across each axis of a volume; nuclei match or not as a whole, not in the plane.

    Up to three channels are shown as red, green and blue, one as grey, each from its 0.5 to its 99.5 percentile.

    Args:
        image: with the reference; ``(N0, N1, N2, C)`` and ``(N0, N1, N2)``.
        found: ``(N0, N1, N2)`` instances.
        spacing: of the three axes, in one unit.
        names: of the three axes.
    """
    matched, colours = _matched(image.instances, found), _colours(image.image)
    pictures = []
    for axis, size in enumerate(found.shape):
        middle = size // 2
        pixels, truth, result = (np.take(volume, middle, axis) for volume in (colours, image.instances, found))
        rows, columns = (n for n in range(3) if n != axis)
        steps = (spacing[rows] / min(spacing), spacing[columns] / min(spacing))
        view = f"plane {middle + 1} of {size} across {names[axis]}"
        drawn = _draw(pixels, truth, result, matched, steps=steps, drawn=DRAWN_PIXELS // 2)
        pictures.append(replace(drawn, view=view))
    return tuple(pictures)


def _colours(volume: np.ndarray) -> np.ndarray:
    """``(N0, N1, N2, 3)`` uint8."""
    shown = np.zeros((*volume.shape[:3], 3), np.uint8)
    channels = volume.shape[-1]
    for channel in range(min(channels, 3)):
        values = volume[..., channel]
        low, high = np.percentile(values, (0.5, 99.5))
        scaled = np.clip((values - low) / max(float(high - low), 1e-12), 0, 1) * 255
        shown[..., slice(None) if channels == 1 else channel] = scaled[..., None] if channels == 1 else scaled
    return shown


def _matched(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the nuclei of either reading that match one of the other."""
    table = overlap_table(truth, found)
    hits = table.iou > MATCH_IOU
    return table.truth_numbers[table.truth_index[hits]], table.found_numbers[table.found_index[hits]]


def _draw(
    pixels: np.ndarray,
    truth: np.ndarray,
    found: np.ndarray,
    matched: tuple[np.ndarray, np.ndarray],
    *,
    steps: tuple[float, float] = (1.0, 1.0),
    drawn: int = DRAWN_PIXELS,
) -> FoundPicture:
    """``steps``: how long a pixel is along rows and columns, the shorter way being 1."""
    whole = truth.shape
    box = _busiest((truth > 0) | (found > 0))
    pixels, truth, found = pixels[box], truth[box], found[box]
    scale = max(1, int(drawn // max(side * step for side, step in zip(truth.shape, steps, strict=True))))
    zoom = (max(1, round(scale * steps[0])), max(1, round(scale * steps[1])))
    rows, columns = truth.shape
    return FoundPicture(
        _png(_enlarged(pixels, zoom)),
        _png(_outlines(truth, matched[0], zoom)),
        _png(_outlines(found, matched[1], zoom)),
        (columns * zoom[1], rows * zoom[0]),
        None if truth.shape == whole else (box[1].start, box[0].start, columns, rows),
    )


def _busiest(nuclei: np.ndarray) -> tuple[slice, slice]:
    """The window with the most pixels of nuclei, of those half a window apart."""
    sides = [min(size, LARGEST_PIXELS) for size in nuclei.shape]
    starts = [
        [*range(0, size - side, max(1, side // 2)), size - side] for size, side in zip(nuclei.shape, sides, strict=True)
    ]
    boxes = [(slice(top, top + sides[0]), slice(left, left + sides[1])) for top in starts[0] for left in starts[1]]
    return max(boxes, key=lambda box: int(nuclei[box].sum()))


def _outlines(labels: np.ndarray, matched: np.ndarray, zoom: tuple[int, int]) -> np.ndarray:
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


def _enlarged(array: np.ndarray, zoom: tuple[int, int]) -> np.ndarray:
    return array.repeat(zoom[0], axis=0).repeat(zoom[1], axis=1)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
