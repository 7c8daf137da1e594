"""A NIfTI file's bytes, with a header of our own or with another file's header kept."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from medarch.core.geometry import Geometry
from medarch.io.nifti_head import nifti_head

GZIP_LEVEL = 2
"""Label maps shrink to 0.5-7 % at some 400 MB/s; level 6 saves a third of that and takes up to seven times longer."""


def encode_nifti(array: np.ndarray, geometry: Geometry, *, compress: bool, like: Path | None) -> bytes:
    """Return the bytes of a .nii or (``compress``) .nii.gz file.

    Args:
        array: ``(C, I, J, K)``; one channel becomes a 3D file, several a 4D file.
        geometry: the grid; without ``like`` it is written as sform and qform, code 1 (scanner), in mm.
        compress: gzip it; equal input gives equal bytes, for no time stamp is written.
        like: a NIfTI file whose header is kept, but for dimensions, type, scaling, intent and display range.

    Raises:
        VolumeError: the dtype is not one of NIfTI's.
        GeometryError: ``geometry`` is not the grid of ``like``.
    """
    head, order = nifti_head(array.shape, array.dtype, geometry, like=like)
    # Stored with i fastest and channels slowest, which is C order of (C, K, J, I).
    voxels = np.ascontiguousarray(array.transpose(0, 3, 2, 1), dtype=array.dtype.newbyteorder(order))
    content = head + voxels.tobytes()
    return zlib.compress(content, GZIP_LEVEL, 31) if compress else content
