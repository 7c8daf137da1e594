"""Which slices of a case to show, and which part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medarch.core.geometry import Triple
from medarch.reporting.display_case import DisplayCase

if TYPE_CHECKING:
    import numpy as np

SMALLEST_WINDOW_MM = 60.0
"""A lesion of a few voxels is still shown with its surroundings."""
MARGIN = 1.5
"""Edge of the window over the largest extent of what is outlined."""


@dataclass(frozen=True)
class Plane:
    """A way to cut; the letters stand at the edges of the picture."""

    name: str
    columns: int
    rows: int
    normal: int
    left: str
    right: str
    top: str
    bottom: str


PLANES = (
    Plane("axial", 0, 1, 2, "R", "L", "A", "P"),
    Plane("coronal", 0, 2, 1, "R", "L", "S", "I"),
    Plane("sagittal", 1, 2, 0, "A", "P", "S", "I"),
)
"""Of arrays in display orientation (axes to L, P, I)."""


@dataclass(frozen=True)
class View:
    """Three slices through one case, in square windows of one scale."""

    indices: tuple[int, int, int]
    """Slice along each display axis."""
    centre_mm: tuple[float, float, float]
    """Centre of the windows, from the outer corner of voxel 0."""
    edge_mm: float
    """Edge of the windows."""
    by_error: bool
    """Whether the slices were chosen for their errors rather than for the size of the structures."""

    def planes(self, case: DisplayCase) -> tuple[Plane, ...]:
        """The planes with more than one line of voxels; a 2D image has one."""
        return tuple(p for p in PLANES if case.geometry.shape[p.columns] > 1 and case.geometry.shape[p.rows] > 1)


def choose_view(case: DisplayCase, *, ignore: int | None = None, prefer_error: bool = False) -> View:
    """Choose the slices with the largest cross-section, or with the most wrong voxels.

    Args:
        case: what to look at.
        ignore: label value of voxels nobody annotated; they are neither right nor wrong.
        prefer_error: look where reference and prediction differ most, if they differ.
    """
    import numpy as np

    shape, spacing = case.geometry.shape, np.array(case.geometry.spacing_mm)
    reference, prediction = (_foreground(labels, shape, ignore) for labels in (case.reference, case.prediction))
    wrong = np.zeros(shape, bool)
    if case.reference is not None and case.prediction is not None:
        wrong = (case.reference != case.prediction) & (case.reference != (-1 if ignore is None else ignore))
    by_error = prefer_error and bool(wrong.any())
    shown = wrong if by_error else reference if reference.any() else prediction
    indices = tuple(_fullest(shown, axis) for axis in range(3))

    low, high = _extent(reference | prediction)
    extent = (high - low) * spacing
    seen = np.array(shape) > 1
    whole = float((np.array(shape) * spacing)[seen].max(initial=0.0))
    edge = min(max(MARGIN * float(extent[seen].max(initial=0.0)), SMALLEST_WINDOW_MM), whole)
    centre = (low + high) / 2 * spacing
    return View(indices, tuple(centre.tolist()), edge, by_error)  # type: ignore[arg-type]


def _foreground(labels: np.ndarray | None, shape: Triple, ignore: int | None) -> np.ndarray:
    import numpy as np

    if labels is None:
        return np.zeros(shape, bool)
    foreground: np.ndarray = (labels > 0) & (labels != (-1 if ignore is None else ignore))
    return foreground


def _fullest(mask: np.ndarray, axis: int) -> int:
    """The slice with the most voxels, or the middle one of an empty mask."""
    counts = mask.sum(axis=tuple(other for other in range(3) if other != axis))
    return int(counts.argmax()) if counts.any() else mask.shape[axis] // 2


def _extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half-open box of a mask, or of the whole array when it is empty."""
    import numpy as np

    lows, highs = [], []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        lows.append(int(used[0]) if used.size else 0)
        highs.append(int(used[-1]) + 1 if used.size else mask.shape[axis])
    return np.array(lows), np.array(highs)
