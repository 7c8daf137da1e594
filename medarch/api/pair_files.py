"""What may lie beside the images of a pair: masks and label maps, on their image's grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.errors import GeometryError, VolumeError

if TYPE_CHECKING:
    import numpy as np

    from medarch.io.read_volume import Volume


def read_on_grid(path: Path, image: Volume) -> np.ndarray:
    """Read a mask or label map ``(I, J, K)``.

    Raises:
        GeometryError: it lies on another grid than the image.
        VolumeError: it cannot be read or has several channels.
    """
    from medarch.io.read_volume import read_volume

    volume = read_volume(path)
    if differences := image.geometry.differences(volume.geometry):
        raise GeometryError(
            f"{path} lies on another grid",
            expected=f"the grid of {image.path.name}",
            found="; ".join(differences),
            fix="give the file that belongs to this image, or resample it with nearest neighbours",
        )
    if len(volume.array) != 1:
        raise VolumeError(f"{path} has several channels", expected="one", found=str(len(volume.array)))
    array: np.ndarray = volume.array[0]
    return array


def read_labels(path: Path, image: Volume) -> dict[str, int]:
    """Return the labels of a map, by their numbers.

    Raises:
        GeometryError: it lies on another grid than the image.
        VolumeError: it cannot be read, or does not hold whole numbers from 0.
    """
    import numpy as np

    values = np.unique(read_on_grid(path, image))
    if values.min() < 0 or not np.array_equal(values, np.rint(values)) or not values.any():
        raise VolumeError(
            f"{path} is no label map",
            expected="whole numbers from 0, some above",
            found=f"values such as {float(values[0]):g} and {float(values[-1]):g}",
            fix="give the label map, not the image or a probability",
        )
    return {str(int(value)): int(value) for value in values if value}
