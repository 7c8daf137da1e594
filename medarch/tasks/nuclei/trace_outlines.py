"""Outlines of nuclei as polygons."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def trace_outlines(nuclei: np.ndarray) -> list[np.ndarray]:
    """Return the outer outline of each nucleus, valid as a polygon.

    It passes half a pixel outside of the outermost pixels' centres and cuts their corners, so it never touches itself
    (outlines along pixels' edges do, where pixels meet at a corner), and the pixels with their centres inside are
    those of the nucleus. Marching squares: Lorensen & Cline 1987.

    Args:
        nuclei: ``(J, I)`` numbered 1, 2, ..., n, each connected by edges of pixels and without holes.

    Returns:
        n arrays ``(points, 2)`` float64 of x, y in pixels; the first point is repeated at the end. Pixel (0, 0) reaches
        from 0 to 1, its centre lies at 0.5. A number that does not occur has no points.
    """
    from skimage.measure import find_contours

    outlines = []
    for number, box in enumerate(ndimage.find_objects(nuclei), 1):
        if box is None:
            outlines.append(np.zeros((0, 2)))
            continue
        mask = np.zeros([side.stop - side.start + 2 for side in box])
        mask[1:-1, 1:-1] = nuclei[box] == number
        rings = find_contours(mask, 0.5, fully_connected="low")
        ring = max(rings, key=len)
        # A pixel of margin, half a pixel from a pixel's corner to its centre.
        outlines.append(ring[:, ::-1] + (box[1].start - 0.5, box[0].start - 0.5))
    return outlines
