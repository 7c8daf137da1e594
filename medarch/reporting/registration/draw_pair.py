"""One picture by which to judge a registration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medarch.core.files import atomic_path
from medarch.core.geometry import Geometry
from medarch.reporting.choose_view import PLANES, Plane
from medarch.reporting.display_case import DISPLAY
from medarch.reporting.draw_view import colours_of

if TYPE_CHECKING:
    import numpy as np

COLUMNS = ("before", "after", "checkerboard", "deformed grid", "volume change")
SQUARES = 6
"""Of the checkerboard along the longer side."""
LINES = 14
"""Of the grid along the longer side."""
LARGEST_CHANGE = 4.0
"""Factor of volume at the ends of the colour scale."""
INCHES = 2.4
"""Width of a picture."""
TALLEST = 1.6
"""Largest height over width of a row."""
MARGIN_INCHES = 0.6


@dataclass(frozen=True)
class PairPicture:
    """What is drawn: arrays ``(I, J, K)`` on the fixed grid."""

    fixed: np.ndarray
    before: np.ndarray
    """The moving image where the files place it."""
    after: np.ndarray
    """The moving image, registered."""
    geometry: Geometry
    displacement: np.ndarray | None
    """``(3, I, J, K)`` in voxels, index order; None for an affine transform."""
    jacobian: np.ndarray | None
    labels: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    """Label maps of the fixed image, and of the moving one before and after, all on the fixed grid."""


def draw_pair(pair: PairPicture, target: Path, *, title: str) -> None:
    """Draw three planes (one of a 2D pair) in five columns: overlays before and after, checkerboard, grid, Jacobian.

    In the overlays the fixed image is magenta and the moving one green; where both agree they are grey. Outlines of
    labels are solid in the fixed image and dashed in the moving one. Planes go through the middle of the labels, or of
    what is bright in the fixed image, in radiological convention; letters name the sides.

    Args:
        pair: what to draw.
        target: the picture to write, atomically; its suffix says the format.
        title: above it.
    """
    from matplotlib.figure import Figure

    turned = _Turned(pair)
    planes = [plane for plane in PLANES if min(turned.size(plane)) > 1]
    columns = COLUMNS if pair.displacement is not None else COLUMNS[:3]
    # One width for all, so each plane is as high as it is in millimetres.
    heights = [turned.shape_mm(plane)[0] / turned.shape_mm(plane)[1] for plane in planes]
    heights = [min(height, TALLEST) for height in heights]
    size = (INCHES * len(columns), INCHES * sum(heights) + MARGIN_INCHES)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    if title:
        figure.suptitle(title, fontsize=9)
    grid = figure.add_gridspec(len(planes), len(columns), height_ratios=heights)
    for row, plane in enumerate(planes):
        for column, name in enumerate(columns):
            axes = figure.add_subplot(grid[row, column])
            axes.set_axis_off()
            if row == 0:
                axes.set_title(name, fontsize=8)
            shown = turned.draw(axes, plane, name)
            if column == 0:
                _letters(axes, plane)
            if name == COLUMNS[-1] and row == len(planes) - 1:
                _colour_bar(figure, shown, axes)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format=target.suffix.removeprefix("."))


class _Turned:
    """A pair in display orientation."""

    def __init__(self, pair: PairPicture) -> None:
        import numpy as np

        geometry, permutation, flips = pair.geometry.reoriented(DISPLAY)
        flipped = tuple(axis for axis, flip in enumerate(flips) if flip)

        def turn(array: np.ndarray) -> np.ndarray:
            return np.flip(array.transpose(permutation), flipped)

        self.spacing_mm = geometry.spacing_mm
        self.fixed, self.before, self.after = (_unit(turn(array)) for array in (pair.fixed, pair.before, pair.after))
        self.jacobian = None if pair.jacobian is None else turn(pair.jacobian)
        self.places: list[np.ndarray] | None = None
        if pair.displacement is not None:
            lines: tuple[np.ndarray, ...] = np.indices(pair.fixed.shape, sparse=True)
            places = [turn(line + shift) for line, shift in zip(lines, pair.displacement, strict=True)]
            self.places = [places[axis] for axis in permutation]
        self.labels = None if pair.labels is None else tuple(turn(array) for array in pair.labels)
        seen = self.fixed if self.labels is None or not self.labels[0].any() else self.labels[0] > 0
        self.middle = [_middle(seen, axis) for axis in range(3)]

    def size(self, plane: Plane) -> tuple[int, int]:
        return self.fixed.shape[plane.rows], self.fixed.shape[plane.columns]

    def shape_mm(self, plane: Plane) -> tuple[float, float]:
        rows, columns = self.size(plane)
        return rows * self.spacing_mm[plane.rows], columns * self.spacing_mm[plane.columns]

    def cut(self, array: np.ndarray, plane: Plane) -> np.ndarray:
        import numpy as np

        rows_columns: np.ndarray = np.take(array, self.middle[plane.normal], axis=plane.normal).T
        return rows_columns

    def draw(self, axes: Any, plane: Plane, name: str) -> Any:
        """Draw a column's picture; return the image that a colour bar explains, or None."""
        import numpy as np

        fixed, before, after = (self.cut(array, plane) for array in (self.fixed, self.before, self.after))
        look = {"aspect": self.spacing_mm[plane.rows] / self.spacing_mm[plane.columns]}
        if name in ("before", "after"):
            moved = before if name == "before" else after
            axes.imshow(np.stack([fixed, moved, fixed], axis=-1), **look)
            if self.labels is not None:
                _outline(axes, self.cut(self.labels[0], plane), 0)
                _outline(axes, self.cut(self.labels[1 if name == "before" else 2], plane), 1)
        elif name == "checkerboard":
            rows, columns = np.indices(fixed.shape)
            square = max(1, max(fixed.shape) // SQUARES)
            board = (rows // square + columns // square) % 2 == 0
            axes.imshow(np.where(board, fixed, after), cmap="gray", vmin=0, vmax=1, **look)
        elif name == "deformed grid" and self.places is not None:
            axes.imshow(fixed, cmap="gray", vmin=0, vmax=1, **look)
            step = max(1, max(fixed.shape) // LINES)
            for axis in (plane.columns, plane.rows):
                place = self.cut(self.places[axis], plane)
                axes.contour(place, levels=np.arange(0, max(fixed.shape), step), colors="#56b4e9", linewidths=0.7)
        elif self.jacobian is not None:
            change = np.log(np.maximum(self.cut(self.jacobian, plane), 1e-3))
            limit = np.log(LARGEST_CHANGE)
            image = axes.imshow(change, cmap="RdBu_r", vmin=-limit, vmax=limit, **look)
            if (self.cut(self.jacobian, plane) <= 0).any():
                axes.contour(self.cut(self.jacobian, plane) <= 0, levels=[0.5], colors="black", linewidths=1.0)
            return image
        return None


def _outline(axes: Any, labels: np.ndarray, style: int) -> None:
    """Each label's border; ``style`` 0 is the fixed image's, 1 the moving one's."""
    import numpy as np

    padded = np.pad(labels, 1)  # closes outlines at the image's border
    rows, columns = (np.arange(-1, size - 1) for size in padded.shape)
    for value in np.unique(padded[padded > 0]):
        axes.contour(
            columns,
            rows,
            padded == value,
            levels=[0.5],
            colors=[colours_of(int(value) - 1)[style]],
            linewidths=[(1.5, 1.1)[style]],
            linestyles=[("solid", (0, (3.0, 2.0)))[style]],
        )
    axes.set(xlim=(-0.5, labels.shape[1] - 0.5), ylim=(labels.shape[0] - 0.5, -0.5))


def _letters(axes: Any, plane: Plane) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2, foreground="black")]
    for letter, x, y, across, along in (
        (plane.left, 0.03, 0.5, "left", "center"),
        (plane.right, 0.97, 0.5, "right", "center"),
        (plane.top, 0.5, 0.97, "center", "top"),
        (plane.bottom, 0.5, 0.03, "center", "bottom"),
    ):
        style = {"ha": across, "va": along, "color": "white", "fontsize": 8, "fontweight": "bold"}
        axes.text(x, y, letter, transform=axes.transAxes, path_effects=halo, **style)


def _colour_bar(figure: Any, image: Any, axes: Any) -> None:
    """Which colour is which factor of volume."""
    import numpy as np

    bar = figure.colorbar(image, ax=axes, orientation="horizontal", fraction=0.08, pad=0.02)
    bar.set_ticks(np.log([1 / LARGEST_CHANGE, 0.5, 1, 2, LARGEST_CHANGE]), labels=["¼", "½", "1", "2", "4"])
    bar.ax.tick_params(labelsize=7, length=2)


def _unit(array: np.ndarray) -> np.ndarray:
    import numpy as np

    finite = np.nan_to_num(np.asarray(array, dtype=np.float32))
    low, high = np.percentile(finite, (0.5, 99.5))
    if not high > low:
        low, high = finite.min(), max(finite.max(), finite.min() + 1e-6)
    unit: np.ndarray = np.clip((finite - low) / (high - low), 0, 1)
    return unit


def _middle(image: np.ndarray, axis: int) -> int:
    """The slice through the centre of mass."""
    import numpy as np

    weights = image.sum(axis=tuple(other for other in range(3) if other != axis))
    total = weights.sum()
    return round(float(weights @ np.arange(len(weights)) / total)) if total > 0 else len(weights) // 2
