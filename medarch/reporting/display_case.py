"""A case turned the way radiologists look at it, and the slices worth looking at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.errors import GeometryError
from medarch.core.geometry import Geometry, Triple

if TYPE_CHECKING:
    import numpy as np

DISPLAY = "LPI"
"""Array axes run to the patient's left, back and feet, so every plane is drawn as it lies in memory, columns to the
right and rows downwards, in the radiological convention: patient's right on the reader's left, front and head up."""


@dataclass(frozen=True)
class DisplayCase:
    """Arrays ``(I, J, K)`` whose axes run to L, P and I."""

    image: np.ndarray
    """First channel."""
    reference: np.ndarray | None
    prediction: np.ndarray | None
    geometry: Geometry
    file_axes: Triple
    """Display axis ``n`` is file axis ``file_axes[n]``."""
    flips: tuple[bool, bool, bool]

    def file_slice(self, axis: int, index: int) -> str:
        """Name a slice as other viewers show it: the file's axis and its index from 0, e.g. ``"k = 7"``."""
        stored = self.geometry.shape[axis] - 1 - index if self.flips[axis] else index
        return f"{'ijk'[self.file_axes[axis]]} = {stored}"

    @property
    def tilt_degrees(self) -> float:
        """Largest angle between a voxel axis and the patient axis it is labelled with."""
        import numpy as np

        directions = self.geometry.matrix[:3, :3] / np.array(self.geometry.spacing_mm)
        return float(np.degrees(np.arccos(np.abs(np.diag(directions)).clip(0, 1).min())))


def load_display_case(image: Path, *, reference: Path | None, prediction: Path | None) -> DisplayCase:
    """Read a case and turn it to the display orientation.

    Raises:
        VolumeError: a file cannot be read.
        GeometryError: the reference or the prediction lies on another grid than the image.
    """
    from medarch.io.read_volume import read_volume

    volume = read_volume(image)
    geometry, permutation, flips = volume.geometry.reoriented(DISPLAY)
    flipped = tuple(axis for axis, flip in enumerate(flips) if flip)

    def turned(array: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.flip(array.transpose(permutation), flipped)

    def labels(path: Path | None) -> np.ndarray | None:
        if path is None:
            return None
        other = read_volume(path)
        if differences := volume.geometry.differences(other.geometry):
            raise GeometryError(
                f"{path.name} does not lie on the grid of {image.name}",
                expected="one grid for image, reference and prediction",
                found="; ".join(differences),
                fix="give the files of one case",
            )
        return turned(other.array[0]).round().astype("int16")

    return DisplayCase(turned(volume.array[0]), labels(reference), labels(prediction), geometry, permutation, flips)
