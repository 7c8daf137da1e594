"""NIfTI-1 and NIfTI-2 headers, strictly.

Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group; which affine counts follows nibabel
(sform if its code is set, else qform, else the voxel sizes about the centre with x flipped).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medarch.core.geometry import Geometry, Triple, spacing_tolerance_mm
from medarch.io.fault import fault
from medarch.io.suffix import split_suffix
from medarch.io.volume_header import Doubt, VolumeHeader

ByteOrder = Literal["<", ">"]
_BYTE_ORDERS: tuple[ByteOrder, ...] = ("<", ">")
HEADER_BYTES = {1: 348, 2: 540}
_MAGICS = {1: (b"n+1\0", b"ni1\0"), 2: (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")}
FIELDS: dict[int, dict[str, tuple[int, str]]] = {
    1: {
        "dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f"),
        "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"), "xyzt_units": (123, "B"),
        "cal_max": (124, "f"), "cal_min": (128, "f"), "intent_code": (68, "h"),
        "qform_code": (252, "h"), "sform_code": (254, "h"), "quatern": (256, "3f"), "qoffset": (268, "3f"),
        "srow": (280, "12f"), "magic": (344, "4s"),
    },
    2: {
        "magic": (4, "8s"), "datatype": (12, "h"), "bitpix": (14, "h"), "dim": (16, "8q"), "pixdim": (104, "8d"),
        "vox_offset": (168, "q"), "scl_slope": (176, "d"), "scl_inter": (184, "d"), "cal_max": (192, "d"),
        "cal_min": (200, "d"), "qform_code": (344, "i"), "sform_code": (348, "i"), "quatern": (352, "3d"),
        "qoffset": (376, "3d"), "srow": (400, "12d"), "xyzt_units": (500, "i"), "intent_code": (504, "i"),
    },
}  # fmt: skip
"""Byte offset and struct format of the fields we use, by NIfTI version."""
DTYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""NIfTI datatype codes of single real numbers."""
_REFUSED = {
    1: "1-bit", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128", 2048: "complex256", 2304: "RGBA",
}  # fmt: skip


def parse_nifti_header(content: bytes, path: Path) -> VolumeHeader:
    """Read the header at the start of ``content``.

    Raises:
        VolumeError: ``NOT_NIFTI``, ``TRUNCATED``, ``BAD_HEADER``, ``UNSUPPORTED_DTYPE`` or ``UNSUPPORTED_DIMS``.
    """
    version, order = nifti_version(content, path)
    fields = {name: _unpack(content, order, place) for name, place in FIELDS[version].items()}
    if fields["magic"] not in _MAGICS[version]:
        raise fault("NOT_NIFTI", path, expected=f"magic {_MAGICS[version][0]!r}", found=f"magic {fields['magic']!r}")
    shape, channels = _shape(fields["dim"], path)
    affine, doubts = _placement(fields, shape, path)
    single = fields["magic"] == _MAGICS[version][0]
    slope, intercept = _scaling(fields, path)
    data_file = None if single else _data_file(path)
    return VolumeHeader(
        shape=shape,
        channels=channels,
        dtype=_dtype(fields["datatype"], order, path),
        affine=affine,
        offset=_offset(fields["vox_offset"], HEADER_BYTES[version] + 4 if single else 0, path),
        encoding="deflate" if data_file and data_file.name.lower().endswith(".gz") else "raw",
        slope=slope,
        intercept=intercept,
        data_file=data_file,
        doubts=doubts,
    )


def nifti_version(content: bytes, path: Path) -> tuple[int, ByteOrder]:
    """Return the NIfTI version and the byte order, ``"<"`` or ``">"``, by the size field that starts every header.

    Raises:
        VolumeError: ``NOT_NIFTI`` or, when the header itself is cut, ``TRUNCATED``.
    """
    for version, size in HEADER_BYTES.items():
        for order in _BYTE_ORDERS:
            if content[:4] == struct.pack(order + "i", size):
                if len(content) < size:
                    raise fault("TRUNCATED", path, expected=f"a header of {size} bytes", found=f"{len(content)} bytes")
                return version, order
    raise fault("NOT_NIFTI", path, expected="header size 348 or 540", found=f"first bytes {content[:4]!r}")


def _unpack(content: bytes, order: str, place: tuple[int, str]) -> Any:
    values = struct.unpack_from(order + place[1], content, place[0])
    return values[0] if len(values) == 1 else values


def _shape(dim: tuple[int, ...], path: Path) -> tuple[Triple, int]:
    rank = dim[0]
    sizes = dim[1 : rank + 1]
    if not 2 <= rank <= 7 or min(sizes) < 1:
        raise fault("BAD_HEADER", path, expected="2 to 7 positive dimensions", found=f"dim = {list(dim)}")
    i, j, k = (*sizes[:3], 1)[:3]
    extra = [size for size in sizes[3:] if size > 1]
    if len(extra) > 1:
        raise fault("UNSUPPORTED_DIMS", path, expected="at most one axis after i, j, k", found=f"shape {sizes}")
    return (i, j, k), math.prod(extra)


def _dtype(code: int, order: str, path: Path) -> np.dtype:
    if code in DTYPES:
        return np.dtype(order + DTYPES[code])
    if code in _REFUSED:
        raise fault("UNSUPPORTED_DTYPE", path, expected="integers or float32/64", found=_REFUSED[code])
    raise fault("BAD_HEADER", path, expected="a NIfTI datatype code", found=f"datatype {code}")


def _offset(value: float, smallest: int, path: Path) -> int:
    if value == 0:  # some writers leave it out
        return smallest
    if not math.isfinite(value) or value < smallest or value != int(value):
        raise fault("BAD_HEADER", path, expected=f"vox_offset of at least {smallest}", found=f"vox_offset {value}")
    return int(value)


def _scaling(fields: dict[str, Any], path: Path) -> tuple[float, float]:
    slope, intercept = fields["scl_slope"], fields["scl_inter"]
    if slope == 0 or not math.isfinite(slope):  # nifti1.h: then the stored values count
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise fault("BAD_HEADER", path, expected="a finite scl_inter", found=f"scl_inter {intercept}")
    return slope, intercept


def _data_file(path: Path) -> Path:
    """The .img or .img.gz of a .hdr; an uncompressed one comes first."""
    stem = split_suffix(path)[0]
    for suffix in (".img", ".img.gz", ".IMG", ".IMG.gz"):
        if (candidate := path.with_name(stem + suffix)).exists():
            return candidate
    raise fault("FILE_MISSING", path, expected=f"{stem}.img beside {path.name}", found="no such file")


def _placement(fields: dict[str, Any], shape: Triple, path: Path) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    """The affine that counts, and what speaks against it."""
    doubts: list[Doubt] = []
    sform = _sform(fields) if fields["sform_code"] > 0 else None
    qform = _qform(fields, path) if fields["qform_code"] > 0 else None
    if sform is not None:
        if found := _conflict(sform, qform, fields, shape):
            doubts.append(Doubt("FORM_CONFLICT", "one placement of the voxels", found))
        affine = sform
    elif qform is not None:
        affine = qform
    else:
        affine = _from_voxel_sizes(fields, shape)
        doubts.append(Doubt("NO_ORIENTATION", "qform_code or sform_code above 0", "both are 0"))
    units = fields["xyzt_units"] & 0x07
    if units in (1, 3):
        doubts.append(Doubt("UNITS_NOT_MM", "mm", "metres" if units == 1 else "micrometres"))
    return affine, tuple(doubts)


def _sform(fields: dict[str, Any]) -> np.ndarray:
    return np.array([*fields["srow"], 0, 0, 0, 1], dtype=np.float64).reshape(4, 4)


def _qform(fields: dict[str, Any], path: Path) -> np.ndarray:
    """nifti1.h, method 2: rotation by a unit quaternion, times voxel sizes, qfac = pixdim[0] turning the third axis."""
    b, c, d = fields["quatern"]
    square = b * b + c * c + d * d
    if not square < 1.01:
        raise fault("BAD_HEADER", path, expected="a unit quaternion", found=f"quatern {(b, c, d)}")
    if square > 1:
        b, c, d = (value / math.sqrt(square) for value in (b, c, d))
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    affine = np.eye(4)
    affine[:3, :3] = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    qfac, *sizes = fields["pixdim"][:4]
    affine[:3, :3] *= sizes
    affine[:3, 2] *= -1.0 if qfac < 0 else 1.0
    affine[:3, 3] = fields["qoffset"]
    return affine


def _from_voxel_sizes(fields: dict[str, Any], shape: Triple) -> np.ndarray:
    rank = min(fields["dim"][0], 3)
    sizes = np.ones(3)
    sizes[:rank] = np.abs(fields["pixdim"][1 : rank + 1])
    sizes[0] *= -1
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -sizes * (np.array(shape) - 1) / 2
    return affine


def _conflict(sform: np.ndarray, qform: np.ndarray | None, fields: dict[str, Any], shape: Triple) -> str:
    """Say how the qform, or the voxel sizes on their own, contradict the sform; empty if they agree."""
    rank = min(fields["dim"][0], 3)
    stated = np.abs(fields["pixdim"][1 : rank + 1])
    spacing = np.sqrt((sform[:3, :rank] ** 2).sum(axis=0))
    equal = all(abs(one - mm) <= spacing_tolerance_mm(mm) for one, mm in zip(stated, spacing, strict=True))
    if stated.min() > 0 and not equal:
        return f"sform has voxels of {_sizes(spacing)}, pixdim of {_sizes(stated)}"
    if qform is None or np.abs(sform - qform).max() < 1e-6:
        return ""
    differences = Geometry.from_array(shape, sform).differences(Geometry.from_array(shape, qform))
    return "sform against qform: " + "; ".join(differences) if differences else ""


def _sizes(values: np.ndarray) -> str:
    return "×".join(f"{value:.4g}" for value in values) + " mm"
