"""A displacement field that is stored as an image of vectors."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from medarch.core.errors import TransformError
from medarch.core.spatial_transform import Dimension, DisplacementField
from medarch.io.inflate import inflate_start
from medarch.io.nifti_header import FIELDS, HEADER_BYTES, nifti_version
from medarch.io.parse_header import header_path, is_compressed
from medarch.io.read_bytes import read_bytes
from medarch.io.read_volume import read_volume
from medarch.io.suffix import format_of

INTENT_DISPLACEMENT, INTENT_VECTOR = 1006, 1007
"""NIfTI intent codes. ITK, and so everybody, takes vectors of the second as LPS and of the first as RAS."""


def read_field(path: Path) -> DisplacementField:
    """Read a field in millimetres, as ITK, ANTs and 3D Slicer write it.

    Raises:
        TransformError: the file is an image of something else, or the field is not finite.
        VolumeError: the file is missing or damaged.
        GeometryError: its affine is singular.
    """
    path = Path(path)
    is_ras = format_of(path) == "nifti" and _nifti_intent(path) == INTENT_DISPLACEMENT
    volume = read_volume(path)
    size: Dimension
    match len(volume.array), volume.geometry.shape[2]:
        case 3, _:
            size = 3
        case 2, 1:
            size = 2
        case channels, _:
            raise TransformError(
                f"{path} holds no displacement field",
                expected="3 components a voxel, or 2 on a 2D grid",
                found=f"{channels} on a grid of {volume.geometry.shape}",
                fix="name the field, not the image",
            )
    vectors = np.zeros((3, *volume.geometry.shape), dtype=np.float32)
    vectors[:size] = volume.array
    if not is_ras:
        vectors[:2] *= -1
    try:
        return DisplacementField.from_vectors(vectors, volume.geometry, dimension=size)
    except TransformError as error:
        raise TransformError(
            f"{path}: {error.summary}", expected=error.expected, found=error.found, fix=error.fix
        ) from error


def _nifti_intent(path: Path) -> int:
    head_path = header_path(path)
    content = read_bytes(head_path, max(HEADER_BYTES.values()))
    if is_compressed(content, head_path):
        content = inflate_start(content, max(HEADER_BYTES.values()))
    version, order = nifti_version(content, head_path)
    dim, intent = (
        struct.unpack_from(order + form, content, offset)
        for offset, form in (FIELDS[version][name] for name in ("dim", "intent_code"))
    )
    if dim[0] == 5 and dim[4] == 1 and intent[0] in (INTENT_DISPLACEMENT, INTENT_VECTOR):
        return int(intent[0])
    raise TransformError(
        f"{path} does not say that it is a displacement field",
        expected=f"a NIfTI file of shape (I, J, K, 1, 3) with intent {INTENT_VECTOR} (vector) or {INTENT_DISPLACEMENT}",
        found=f"shape {dim[1 : dim[0] + 1]}, intent {intent[0]}",
        fix="name the field, not the image; fields of FSL or FreeSurfer have conventions of their own: convert them",
    )
