"""All files of one case as arrays on one grid, or the reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.dataset import Case
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.read_volume import Volume, read_volume
from medarch.io.refuse_case import refuse_case


@dataclass(frozen=True)
class CaseVolumes:
    """A case in memory. Arrays are writable and in file order: ``images.transpose(0, 3, 2, 1)`` is contiguous."""

    images: np.ndarray
    """``(C, I, J, K)`` float32."""
    geometry: Geometry
    label: np.ndarray | None
    """``(I, J, K)``, the smallest of uint8, int16, int32 and int64 that holds the values."""
    content_sha256: str
    """Hash over the hashes of the files, images first."""


def read_case(
    case: Case, *, channels: int, labels: LabelScheme | None = None, waived: Sequence[str] = ()
) -> CaseVolumes:
    """Read the images of a case, stack their channels, and read its label if it has one.

    Args:
        case: which files.
        channels: how many the images must have together.
        labels: the values the label map may hold; None to allow any whole numbers.
        waived: check codes that the user accepts. Nothing is repaired: with a waived ``GEOMETRY_MISMATCH`` or
            ``ORIENTATION_MISMATCH`` voxels lie on voxels by index, on the grid of the first image.

    Raises:
        GeometryError: grids disagree or cannot be used.
        VolumeError: a file is damaged, channels are missing, voxels are not finite, labels are undeclared; in
            general, whatever ``medarch check`` calls an error in this case.
    """
    images = [read_volume(path) for path in case.images]
    label = read_volume(case.label) if case.label else None
    refuse_case(case, images, label, channels=channels, labels=labels, waived=waived)
    return stack_case(images, label)


def stack_case(images: Sequence[Volume], label: Volume | None) -> CaseVolumes:
    """Stack the channels of files that belong together: what :func:`read_case` does with what it has read."""
    digest = hashlib.sha256()
    for volume in (*images, *([label] if label else [])):
        digest.update(volume.content_sha256.encode())
    return CaseVolumes(
        images=_stacked(images),
        geometry=images[0].geometry,
        label=_integers(label.array[0]) if label else None,
        content_sha256=digest.hexdigest(),
    )


def _stacked(images: Sequence[Volume]) -> np.ndarray:
    """Float32 planes ``(C, K, J, I)`` in memory, seen as ``(C, I, J, K)``."""
    planes = [volume.array.transpose(0, 3, 2, 1) for volume in images]
    return np.concatenate(planes, dtype=np.float32, casting="unsafe").transpose(0, 3, 2, 1)


def _integers(values: np.ndarray) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    for dtype in (np.uint8, np.int16, np.int32, np.int64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            break
    return values.astype(dtype)  # astype copies, so that the result is writable, and keeps the memory order
