"""A saliency map as a transparent picture over an image."""

from __future__ import annotations

from medarch.reporting.choose_view import Plane, View
from medarch.reporting.display_case import DisplayCase
from medarch.reporting.draw_view import view_axes, view_png

BRIGHTEST = 255
OPACITY = 0.6
"""Of the brightest place."""


def brightest_view(case: DisplayCase) -> View:
    """Return the slices through the brightest voxel, or the middle where there is none, and the whole image.

    Args:
        case: with the saliency map as its prediction.
    """
    import numpy as np

    shape, spacing = case.geometry.shape, case.geometry.spacing_mm
    place = tuple(size // 2 for size in shape)
    if case.prediction is not None and case.prediction.max() > 0:
        # Of a bright plateau the middle, not its first voxel.
        bright = np.argwhere(case.prediction >= 0.95 * case.prediction.max())
        nearest = bright[np.abs(bright - bright.mean(axis=0)).sum(axis=1).argmin()]
        place = tuple(int(index) for index in nearest)
    extent = [size * mm for size, mm in zip(shape, spacing, strict=True)]
    return View(
        indices=(place[0], place[1], place[2]),
        centre_mm=(extent[0] / 2, extent[1] / 2, extent[2] / 2),
        edge_mm=max(side for side, size in zip(extent, shape, strict=True) if size > 1 or max(shape) == 1),
        by_error=False,
    )


def draw_saliency(case: DisplayCase, view: View, plane: Plane) -> bytes:
    """Return a PNG of one plane, as large and placed as the picture of ``draw_view``."""
    import numpy as np
    from matplotlib import colormaps

    axes = view_axes(view, plane)
    if case.prediction is not None:
        share = np.take(case.prediction, view.indices[plane.normal], axis=plane.normal).T / BRIGHTEST
        colours = colormaps["inferno"](share)
        colours[..., 3] = OPACITY * share
        spacing = case.geometry.spacing_mm
        extent = (0, share.shape[1] * spacing[plane.columns], share.shape[0] * spacing[plane.rows], 0)
        axes.imshow(colours, extent=extent, interpolation="bilinear", aspect="auto")
    return view_png(axes, "RGBA")
