"""One image file in: bytes read once, hashed, checked, and placed in the patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.geometry import Geometry
from medarch.io.fault import fault
from medarch.io.inflate import inflate
from medarch.io.parse_header import header_path, is_compressed, parse_header
from medarch.io.picture import open_picture, picture_array, picture_geometry
from medarch.io.read_bytes import read_bytes
from medarch.io.suffix import format_of
from medarch.io.volume_header import Doubt, VolumeHeader


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
    announced = header.channels * i * j * k * header.dtype.itemsize
    held = max(len(content) - offset, 0)
    if held != announced:
        raise fault(
            "TRUNCATED" if held < announced else "EXTRA_BYTES",
            path,
            expected=f"{announced} bytes of voxels ({header.channels}×{i}×{j}×{k} {header.dtype.name})",
            found=f"{held} bytes",
        )
    stored = np.frombuffer(content, dtype=header.dtype, offset=offset)
    if header.interleaved:
        planes = np.moveaxis(stored.reshape(k, j, i, header.channels), -1, 0)
    else:
        planes = stored.reshape(header.channels, k, j, i)
    return _values(np.ascontiguousarray(planes), header).transpose(0, 3, 2, 1)


def _values(planes: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """Native byte order, float32 for floats, slope and intercept applied."""
    scaled = (header.slope, header.intercept) != (1.0, 0.0)
    if planes.dtype.kind == "f" or scaled:
        values = np.empty(planes.shape, dtype=np.float32)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which the checks find
            if not scaled:
                values[...] = planes
            for target, source in zip(values, planes, strict=True) if scaled else ():
                for k in range(len(source)):  # slice by slice: float64 of a whole CT would take gigabytes
                    target[k] = source[k].astype(np.float64) * header.slope + header.intercept
        return values
    return planes.astype(header.dtype.newbyteorder("="), copy=False)
