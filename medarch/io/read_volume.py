"""One image file in: bytes read once, hashed, checked, and placed in the patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.geometry import Geometry
from medarch.io.inflate import inflate
from medarch.io.parse_header import header_path, is_compressed, parse_header
from medarch.io.picture import open_picture, picture_array, picture_geometry
from medarch.io.read_bytes import read_bytes
from medarch.io.require_announced import require_announced
from medarch.io.suffix import format_of
from medarch.io.volume_header import Doubt, VolumeHeader
from medarch.io.voxel_values import voxel_values


@dataclass(frozen=True)
class Volume:
    """An image or label file in memory."""

    array: np.ndarray
    """``(C, I, J, K)``: float32 if the file holds floats or is scaled, else the file's integers. Read-only, in the
    file's memory order: ``array.transpose(0, 3, 2, 1)`` is contiguous."""
    geometry: Geometry
    path: Path
    content_sha256: str
    """Hash of the bytes of the file (of both files of a pair)."""
    doubts: tuple[Doubt, ...] = ()
    """What is odd about its place in the patient; ``check_dataset`` and ``read_case`` judge it."""


def read_volume(path: Path) -> Volume:
    """Read .nii, .nii.gz, .hdr/.img, .nrrd, .nhdr, .mha, .mhd or a 2D picture (.png .tif .bmp .jpg).

    The last axis of a 4D file becomes the channels. The affine is the sform if its code is set, else the qform, else
    the voxel sizes (nibabel's rule).

    Raises:
        VolumeError: the file is missing, damaged, incomplete or of an unsupported kind; ``error.check`` says which.
        GeometryError: its affine is singular or not finite.
    """
    path = Path(path)
    if format_of(path) == "picture":
        return _read_picture(path)
    head_path = header_path(path)
    content = read_bytes(head_path)
    digest = hashlib.sha256(content)
    if is_compressed(content, head_path):
        content = inflate(content, head_path)
    header = parse_header(content, head_path)
    data_path = header.data_file or head_path
    if header.data_file:
        content = read_bytes(header.data_file)
        digest.update(content)
    geometry = header.geometry(head_path)
    return Volume(_voxels(header, content, data_path), geometry, path, digest.hexdigest(), header.doubts)


def _read_picture(path: Path) -> Volume:
    content = read_bytes(path)
    picture, _ = open_picture(content, path)
    geometry = picture_geometry(*picture.size)
    return Volume(picture_array(picture, path), geometry, path, hashlib.sha256(content).hexdigest())


def _voxels(header: VolumeHeader, content: bytes, path: Path) -> np.ndarray:
    """Interpret exactly as many bytes as the header announces."""
    i, j, k = header.shape
    offset = header.offset
    if header.encoding == "deflate":
        content, offset = inflate(content[offset:], path), 0
    require_announced(header, max(len(content) - offset, 0), path)
    stored = np.frombuffer(content, dtype=header.dtype, offset=offset)
    if header.interleaved:
        planes = np.moveaxis(stored.reshape(k, j, i, header.channels), -1, 0)
    else:
        planes = stored.reshape(header.channels, k, j, i)
    return voxel_values(np.ascontiguousarray(planes), header).transpose(0, 3, 2, 1)
