"""One label map in, with its values and its grid checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.read_volume import read_volume


@dataclass(frozen=True)
class LabelMap:
    """A label map in memory."""

    array: np.ndarray
    """``(I, J, K)`` uint8, or uint16 where the scheme has values above 255; in file order."""
    geometry: Geometry


def read_label_map(path: Path, *, labels: LabelScheme, grid: Geometry | None = None) -> LabelMap:
    """Read a file that holds one whole number of ``labels`` a voxel.

    Args:
        path: the file.
        labels: the values it may hold.
        grid: the grid it must lie on; None for any.

    Raises:
        GeometryError: it lies on another grid.
        VolumeError: it is damaged, has several channels, or holds other values.
    """
    volume = read_volume(path)
    if grid is not None and (differences := grid.differences(volume.geometry)):
        raise GeometryError(
            f"{path} lies on another grid",
            expected="the grid of the case's image",
            found="; ".join(differences) + " (image against label map)",
            fix="resample the label map to that grid, with nearest neighbours",
        )
    if len(volume.array) != 1:
        raise VolumeError(f"{path} is not a label map", expected="one channel", found=f"{len(volume.array)} channels")
    values = volume.array[0]
    highest = labels.values[-1]
    if values.min() < 0 or values.max() > highest or (values.dtype.kind == "f" and (values != np.rint(values)).any()):
        raise VolumeError(
            f"{path} holds values that are not labels",
            expected=f"whole numbers from 0 to {highest}",
            found=f"values from {values.min()} to {values.max()}",
            fix="give label maps of the dataset the model was trained on",
        )
    return LabelMap(values.astype(np.uint8 if highest < 256 else np.uint16), volume.geometry)
