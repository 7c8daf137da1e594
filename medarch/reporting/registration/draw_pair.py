"""One picture by which to judge a registration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medarch.core.files import atomic_path
from medarch.core.geometry import Geometry
from medarch.reporting.choose_view import PLANES, Plane
from medarch.reporting.display_case import DISPLAY

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


def draw_pair(pair: PairPicture, target: Path, *, title: str) -> None:
    """Draw three planes (one of a 2D pair) in five columns: overlays before and after, checkerboard, grid, Jacobian.

    In the overlays the fixed image is magenta and the moving one green; where both agree they are grey. Planes go
    through the middle of what is bright in the fixed image, in radiological convention.

    Args:
        pair: what to draw.
        target: the picture to write, atomically; its suffix says the format.
        title: above it.
    """
    from matplotlib.figure import Figure

    turned = _Turned(pair)
    planes = [plane for plane in PLANES if min(turned.size(plane)) > 1]
    columns = COLUMNS if pair.displacement is not None else COLUMNS[:3]
    figure = Figure(figsize=(INCHES * len(columns), INCHES * len(planes) + 0.5), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=9)
    for row, plane in enumerate(planes):
        for column, name in enumerate(columns):
            axes = figure.add_subplot(len(planes), len(columns), row * len(columns) + column + 1)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(name, fontsize=8)
            turned.draw(axes, plane, name)
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
        self.middle = [_middle(self.fixed, axis) for axis in range(3)]

    def size(self, plane: Plane) -> tuple[int, int]:
        return self.fixed.shape[plane.rows], self.fixed.shape[plane.columns]

    def cut(self, array: np.ndarray, plane: Plane) -> np.ndarray:
        import numpy as np

        rows_columns: np.ndarray = np.take(array, self.middle[plane.normal], axis=plane.normal).T
        return rows_columns

    def draw(self, axes: Any, plane: Plane, name: str) -> None:
        import numpy as np

        fixed, before, after = (self.cut(array, plane) for array in (self.fixed, self.before, self.after))
        look = {"aspect": self.spacing_mm[plane.rows] / self.spacing_mm[plane.columns]}
        if name in ("before", "after"):
            moved = before if name == "before" else after
            axes.imshow(np.stack([fixed, moved, fixed], axis=-1), **look)
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
            axes.imshow(change, cmap="RdBu_r", vmin=-limit, vmax=limit, **look)
            if (self.cut(self.jacobian, plane) <= 0).any():
                axes.contour(self.cut(self.jacobian, plane) <= 0, levels=[0.5], colors="black", linewidths=1.0)


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
