"""A NIfTI file's bytes, with a header of our own or with another file's header kept."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.io.inflate import inflate_start
from medarch.io.nifti_header import DTYPES, FIELDS, HEADER_BYTES, ByteOrder, nifti_version
from medarch.io.parse_header import header_path, is_compressed
from medarch.io.read_bytes import read_bytes
from medarch.io.read_geometry import read_geometry

GZIP_LEVEL = 2
"""Label maps shrink to 0.5-7 % at some 400 MB/s; level 6 saves a third of that and takes up to seven times longer."""
_CODES = {np.dtype(name): code for code, name in DTYPES.items()}
_LONGEST_AXIS_NIFTI1 = 32767


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
    if array.dtype.newbyteorder("=") not in _CODES:
        raise VolumeError(
            "this kind of voxel cannot be written as NIfTI",
            expected=", ".join(str(dtype) for dtype in _CODES),
            found=str(array.dtype),
            fix="convert the array first, e.g. with astype(numpy.uint8)",
        )
    header = _new_header(geometry) if like is None else _kept_header(like, geometry)
    order = _describe(header, array)
    # Stored with i fastest and channels slowest, which is C order of (C, K, J, I).
    voxels = np.ascontiguousarray(array.transpose(0, 3, 2, 1), dtype=array.dtype.newbyteorder(order))
    content = bytes(header) + bytes(4) + voxels.tobytes()
    return zlib.compress(content, GZIP_LEVEL, 31) if compress else content


def _new_header(geometry: Geometry) -> bytearray:
    import nibabel

    kind = nibabel.Nifti1Header if max(geometry.shape) <= _LONGEST_AXIS_NIFTI1 else nibabel.Nifti2Header
    header = kind()
    header.set_data_shape(geometry.shape)
    header.set_zooms(geometry.spacing_mm)
    header.set_sform(geometry.matrix, code=1)
    # A quaternion cannot hold shear; then only the sform tells the truth.
    header.set_qform(geometry.matrix, code=1 if geometry.is_orthogonal else 0)
    header.set_xyzt_units("mm")
    return bytearray(header.binaryblock)


def _kept_header(like: Path, geometry: Geometry) -> bytearray:
    differences = read_geometry(like)[0].differences(geometry)
    if differences:
        raise GeometryError(
            f"the volume does not lie on the grid of {like}",
            expected="one grid",
            found="; ".join(differences),
            fix="resample it to that grid, or write it without `like`",
        )
    path = header_path(like)
    content = read_bytes(path, max(HEADER_BYTES.values()))
    if is_compressed(content, path):
        content = inflate_start(content, max(HEADER_BYTES.values()))
    version, _ = nifti_version(content, path)
    return bytearray(content[: HEADER_BYTES[version]])


def _describe(header: bytearray, array: np.ndarray) -> ByteOrder:
    """Make the header fit the array, in place; return the header's byte order."""
    version, order = nifti_version(bytes(header), Path())
    fields = FIELDS[version]

    def put(name: str, *values: float | bytes) -> None:
        offset, form = fields[name]
        struct.pack_into(order + form, header, offset, *values)

    def get(name: str) -> tuple[float, ...]:
        offset, form = fields[name]
        return struct.unpack_from(order + form, header, offset)

    channels, i, j, k = array.shape
    rank = 4 if channels > 1 else 2 if k == 1 and get("dim")[0] == 2 else 3
    put("dim", rank, *(i, j, k, channels, 1, 1, 1))
    sizes = get("pixdim")
    put("pixdim", *(size if n <= 3 or size > 0 else 1.0 for n, size in enumerate(sizes)))
    put("datatype", _CODES[array.dtype.newbyteorder("=")])
    put("bitpix", array.dtype.itemsize * 8)
    put("vox_offset", len(header) + 4)
    put("magic", b"n+1\0" if version == 1 else b"n+2\0\r\n\x1a\n")
    put("scl_slope", 1.0)
    for name in ("scl_inter", "intent_code", "cal_min", "cal_max"):
        put(name, 0)
    return order
