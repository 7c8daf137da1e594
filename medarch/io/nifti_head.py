"""What stands before the voxels of a NIfTI file: a header of our own, or another file's kept."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.io.inflate import inflate_start
from medarch.io.nifti_header import DTYPES, FIELDS, HEADER_BYTES, ByteOrder, nifti_version
from medarch.io.parse_header import header_path, is_compressed
from medarch.io.read_bytes import read_bytes
from medarch.io.read_geometry import read_geometry
from medarch.io.suffix import FORMATS, split_suffix

_CODES = {np.dtype(name): code for code, name in DTYPES.items()}
_LONGEST_AXIS_NIFTI1 = 32767


def nifti_head(
    shape: tuple[int, ...], dtype: np.dtype, geometry: Geometry, *, like: Path | None
) -> tuple[bytes, ByteOrder]:
    """Return the bytes before the voxels of a .nii file, and the byte order in which these have to follow.

    Args:
        shape: ``(C, I, J, K)``; one channel becomes a 3D file, several a 4D file.
        dtype: of the voxels.
        geometry: the grid; without ``like`` it is written as sform and qform, code 1 (scanner), in mm.
        like: a file; if it is NIfTI its header is kept, but for dimensions, type, scaling, intent and display range.

    Raises:
        VolumeError: the dtype is not one of NIfTI's.
        GeometryError: ``geometry`` is not the grid of ``like``.
    """
    if dtype.newbyteorder("=") not in _CODES:
        raise VolumeError(
            "this kind of voxel cannot be written as NIfTI",
            expected=", ".join(str(known) for known in _CODES),
            found=str(dtype),
            fix="convert the array first, e.g. with astype(numpy.uint8)",
        )
    if like is not None and FORMATS.get(split_suffix(like)[1]) == "nifti":
        header = _kept_header(like, geometry)
    else:
        header = _new_header(geometry)
    order = _describe(header, shape, dtype)
    return bytes(header) + bytes(4), order


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


def _describe(header: bytearray, shape: tuple[int, ...], dtype: np.dtype) -> ByteOrder:
    """Make the header fit an array, in place; return the header's byte order."""
    version, order = nifti_version(bytes(header), Path())
    fields = FIELDS[version]

    def put(name: str, *values: float | bytes) -> None:
        offset, form = fields[name]
        struct.pack_into(order + form, header, offset, *values)

    def get(name: str) -> tuple[float, ...]:
        offset, form = fields[name]
        return struct.unpack_from(order + form, header, offset)

    channels, i, j, k = shape
    rank = 4 if channels > 1 else 2 if k == 1 and get("dim")[0] == 2 else 3
    put("dim", rank, *(i, j, k, channels, 1, 1, 1))
    sizes = get("pixdim")
    put("pixdim", *(size if n <= 3 or size > 0 else 1.0 for n, size in enumerate(sizes)))
    put("datatype", _CODES[dtype.newbyteorder("=")])
    put("bitpix", dtype.itemsize * 8)
    put("vox_offset", len(header) + 4)
    put("magic", b"n+1\0" if version == 1 else b"n+2\0\r\n\x1a\n")
    put("scl_slope", 1.0)
    for name in ("scl_inter", "intent_code", "cal_min", "cal_max"):
        put(name, 0)
    return order
