"""Pictures of a slide with its nuclei."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale

DOT_PIXELS = 4.0
"""Nuclei whose outlines would be smaller than this across, in pixels of the picture, are dots."""
_TYPICAL_UM = 8.0


def draw_nuclei(
    picture: np.ndarray,
    rows: Iterable[Sequence[tuple[NucleiPart, np.ndarray]]],
    scale: NucleiScale,
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    zoom: float,
) -> np.ndarray:
    """Draw outlines, or dots where the picture is too small for outlines, in the colours of the classes.

    Where two meet, the one with the higher number lies on top.

    Args:
        picture: ``(rows, columns, 3)`` uint8.
        rows: parts with the numbers of their nuclei, row by row; nuclei outside are passed over.
        scale: names, colours and pixel sizes.
        corner: x and y of the picture's corner in pixels of the view.
        zoom: pixels of the picture in a pixel of the view.
    """
    import PIL.Image
    import PIL.ImageDraw

    canvas = PIL.Image.fromarray(picture)
    pen = PIL.ImageDraw.Draw(canvas)
    dots = _TYPICAL_UM / scale.mpp * zoom < DOT_PIXELS
    for parts in rows:
        shapes = [shape for part, numbers in parts for shape in _shapes(part, numbers, dots=dots)]
        for _, kind, points in sorted(shapes, key=lambda shape: shape[0]):
            # Pillow's whole numbers are the centres of pixels.
            places = (points - corner) * zoom - 0.5
            if dots:
                pen.point(np.rint(places[0]).tolist(), fill=scale.colour(kind))
            elif (places.max(axis=0) >= 0).all() and (places.min(axis=0) < picture.shape[1::-1]).all():
                pen.polygon(places.ravel().tolist(), outline=scale.colour(kind))
    return np.asarray(canvas)


def _shapes(part: NucleiPart, numbers: np.ndarray, *, dots: bool) -> Iterator[tuple[int, int, np.ndarray]]:
    """Number, class and points ``(n, 2)`` of each ring, or of each centroid."""
    kinds = part.kind.tolist()
    if dots:
        yield from zip(numbers.tolist(), kinds, part.centroid[:, None], strict=True)
        return
    rings = np.split(part.points / 2, part.ring_start[1:-1])
    for nucleus, ring in zip(part.ring_nucleus.tolist(), rings, strict=True):
        yield int(numbers[nucleus]), kinds[nucleus], ring
