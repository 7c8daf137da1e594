"""Pictures of a slide with its nuclei."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale

DOT_PIXELS = 4.0
"""Nuclei whose outlines would be smaller than this across, in pixels of the picture, are dots."""
_TYPICAL_UM = 8.0


def draw_nuclei(
    picture: np.ndarray,
    parts: Iterable[NucleiPart],
    scale: NucleiScale,
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    zoom: float,
) -> np.ndarray:
    """Draw outlines, or dots where the picture is too small for outlines, in the colours of the classes.

    Args:
        picture: ``(rows, columns, 3)`` uint8.
        parts: the nuclei; those outside are passed over.
        scale: names, colours and pixel sizes.
        corner: x and y of the picture's corner in pixels of the view.
        zoom: pixels of the picture in a pixel of the view.
    """
    import PIL.Image
    import PIL.ImageDraw

    canvas = PIL.Image.fromarray(picture)
    pen = PIL.ImageDraw.Draw(canvas)
    dots = _TYPICAL_UM / scale.mpp * zoom < DOT_PIXELS
    for part in parts:
        colours = [scale.colour(kind) for kind in range(len(scale.names) + 1)]
        kinds = part.kind
        if dots:
            places = np.floor((part.centroid - corner) * zoom).astype(np.int64)
            for kind in np.unique(kinds).tolist():
                pen.point(places[kinds == kind].ravel().tolist(), fill=colours[kind])
            continue
        points = (part.points / 2 - corner) * zoom - 0.5  # pillow's whole numbers are the centres of pixels
        for nucleus, start, end in zip(
            part.ring_nucleus.tolist(), part.ring_start[:-1], part.ring_start[1:], strict=True
        ):
            ring = points[start:end]
            if (ring.max(axis=0) >= 0).all() and (ring.min(axis=0) < picture.shape[1::-1]).all():
                pen.polygon(ring.ravel().tolist(), outline=colours[kinds[nucleus]])
    return np.asarray(canvas)
