"""One slice as two pictures of one size: the grey image with its letters, and the outlines to lay over it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medarch.core.labels import LabelScheme
from medarch.reporting.choose_view import Plane, View
from medarch.reporting.display_case import DisplayCase

if TYPE_CHECKING:
    import numpy as np

PIXELS = 420
"""Edge of a picture."""
SCALE_BARS_MM = (1, 2, 5, 10, 20, 50, 100, 200)
GREY_PERCENTILES = (0.5, 99.5)
"""Of the voxels inside the windows; they become black and white."""
# Okabe and Ito (2008), ordered so that the first classes stand apart on grey for every kind of colour vision. A class
# has a strong tone for the reference and a pale one for the prediction.
COLOURS = (
    ("#e69f00", "#ffd98a"),
    ("#56b4e9", "#b8e2ff"),
    ("#009e73", "#7cf0c9"),
    ("#cc79a7", "#ffc6e4"),
    ("#d55e00", "#ffb48c"),
    ("#f0e442", "#fffbc4"),
    ("#0072b2", "#9ed8ff"),
)


@dataclass(frozen=True)
class Picture:
    """PNG bytes."""

    image: bytes
    outlines: bytes
    """Transparent where there is no line."""


def colours_of(index: int) -> tuple[str, str]:
    """Colours of the reference and of the prediction of a class; they repeat after seven classes."""
    return COLOURS[index % len(COLOURS)]


def draw_view(case: DisplayCase, view: View, plane: Plane, *, labels: LabelScheme) -> Picture:
    """Draw one plane of a case in the window of ``view``, millimetres to scale in both directions."""
    import numpy as np

    index = view.indices[plane.normal]

    def cut(array: np.ndarray) -> np.ndarray:
        rows_columns: np.ndarray = np.take(array, index, axis=plane.normal).T
        return rows_columns

    spacing = case.geometry.spacing_mm
    pixel_mm = (spacing[plane.columns], spacing[plane.rows])
    image, outlines = view_axes(view, plane), view_axes(view, plane)
    grey = cut(case.image)
    black, white = grey_window(case, view)
    extent = (0, grey.shape[1] * pixel_mm[0], grey.shape[0] * pixel_mm[1], 0)
    image.imshow(grey, cmap="gray", vmin=black, vmax=white, extent=extent, interpolation="bilinear", aspect="auto")
    _furnish(image, plane, view.edge_mm)
    for array, style in ((case.reference, 0), (case.prediction, 1)):
        if array is not None:
            _outline(outlines, cut(array), style, labels=labels, pixel_mm=pixel_mm)
    return Picture(view_png(image, "L"), view_png(outlines, "RGBA"))


def grey_window(case: DisplayCase, view: View) -> tuple[float, float]:
    """Image values shown as black and as white."""
    import numpy as np

    box = tuple(
        slice(max(0, int((centre - view.edge_mm / 2) // mm)), max(1, int((centre + view.edge_mm / 2) // mm + 1)))
        for centre, mm in zip(view.centre_mm, case.geometry.spacing_mm, strict=True)
    )
    values = case.image[box]
    values = values[np.isfinite(values)]
    black, white = np.percentile(values, GREY_PERCENTILES) if values.size else (0.0, 1.0)
    return float(black), float(max(white, black + 1e-6))


def view_axes(view: View, plane: Plane) -> Any:
    """Axes that fill a square figure, in millimetres, rows downwards."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PIXELS / 100, PIXELS / 100), dpi=100, facecolor="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    across, down, half = view.centre_mm[plane.columns], view.centre_mm[plane.rows], view.edge_mm / 2
    axes.set(xlim=(across - half, across + half), ylim=(down + half, down - half), autoscale_on=False)
    return axes


def _outline(axes: Any, values: np.ndarray, style: int, *, labels: LabelScheme, pixel_mm: Sequence[float]) -> None:
    """Draw each class's border between voxel centres; ``style`` 0 is the reference, 1 the prediction."""
    import numpy as np

    padded = np.pad(values, 1)  # closes outlines at the image's border
    across, down = ((np.arange(-1, size - 1) + 0.5) * mm for size, mm in zip(padded.T.shape, pixel_mm, strict=True))
    for index, name in enumerate(labels.foreground_names):
        mask = np.isin(padded, labels.members(name)).astype(float)
        if mask.any():
            # The halo shows a line on white too; it lies below every line, so that it hides none.
            axes.contour(across, down, mask, levels=[0.5], colors=["black"], linewidths=[3.4], alpha=0.4, zorder=1)
            axes.contour(
                across,
                down,
                mask,
                levels=[0.5],
                colors=[colours_of(index)[style]],
                linewidths=[(2.2, 1.6)[style]],
                linestyles=[("solid", (0, (3.0, 2.0)))[style]],
                zorder=2 + style,
            )


def _furnish(axes: Any, plane: Plane, edge_mm: float) -> None:
    """Letters at the four edges and a scale bar."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="black")]
    at = {
        plane.left: (0.03, 0.5, "left", "center"),
        plane.right: (0.97, 0.5, "right", "center"),
        plane.top: (0.5, 0.97, "center", "top"),
        plane.bottom: (0.5, 0.03, "center", "bottom"),
    }
    for letter, (x, y, horizontal, vertical) in at.items():
        style = {"ha": horizontal, "va": vertical, "color": "white", "fontsize": 15, "path_effects": halo}
        axes.text(x, y, letter, transform=axes.transAxes, fontweight="bold", **style)
    bar = max((mm for mm in SCALE_BARS_MM if mm <= edge_mm / 3), default=SCALE_BARS_MM[0])
    start, end = 0.96 - bar / edge_mm, 0.96
    axes.plot([start, end], [0.045, 0.045], transform=axes.transAxes, color="white", linewidth=3, path_effects=halo)
    axes.text(
        (start + end) / 2, 0.06, f"{bar} mm", transform=axes.transAxes, ha="center", va="bottom", color="white",
        fontsize=11, path_effects=halo,
    )  # fmt: skip


def view_png(axes: Any, mode: str) -> bytes:
    """Return a figure as PNG, grey (``L``) or with transparency (``RGBA``)."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    if mode == "L":
        axes.figure.set_facecolor("black")
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if mode == "L" else pixels).save(stream, format="png")
    return stream.getvalue()
