"""MetaImage headers (.mha, .mhd); positions are LPS millimetres. Source: itk.org/Wiki/MetaIO/Documentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medarch.io.fault import fault
from medarch.io.text_header import text_dtype, text_floats, text_ints
from medarch.io.volume_header import LPS_TO_RAS, VolumeHeader

_DTYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LONGEST_HEADER = 65536


def parse_metaimage_header(content: bytes, path: Path) -> VolumeHeader:
    """Read the text up to ``ElementDataFile``.

    Raises:
        VolumeError: ``BAD_HEADER``, ``UNSUPPORTED_DTYPE``, ``UNSUPPORTED_DIMS`` or ``UNSUPPORTED_ENCODING``.
    """
    fields, end = _fields(content, path)
    sizes = text_ints(fields, "DimSize", path)
    if not 2 <= len(sizes) <= 4:
        raise fault("UNSUPPORTED_DIMS", path, expected="2 to 4 dimensions", found=f"DimSize {sizes}")
    channels = text_ints(fields, "ElementNumberOfChannels", path, default="1")[0]
    if min(*sizes, channels) < 1 or (channels > 1 and len(sizes) == 4):
        raise fault("BAD_HEADER", path, expected="positive sizes, one channel axis", found=f"DimSize {sizes}")
    data_name = fields["ElementDataFile"]
    if data_name == "LIST" or "%" in data_name or not _is_true(fields.get("BinaryData", "True")):
        raise fault("UNSUPPORTED_ENCODING", path, expected="binary data in one file", found=data_name)
    local = data_name == "LOCAL"
    skip = text_ints(fields, "HeaderSize", path, default="0")[0]
    if skip < 0:
        raise fault("UNSUPPORTED_ENCODING", path, expected="HeaderSize of at least 0", found=str(skip))
    i, j, k = (*sizes[:3], 1)[:3]
    big_endian = _is_true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")))
    return VolumeHeader(
        shape=(i, j, k),
        channels=channels if len(sizes) < 4 else sizes[3],
        dtype=text_dtype(_DTYPES, fields.get("ElementType", ""), big_endian, path),
        affine=_affine(fields, len(sizes), path),
        offset=end if local else skip,
        encoding="deflate" if _is_true(fields.get("CompressedData", "False")) else "raw",
        interleaved=channels > 1,
        data_file=None if local else path.parent / data_name,
    )


def _fields(content: bytes, path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in fields:
        end = content.find(b"\n", start, _LONGEST_HEADER)
        line = content[start : end if end >= 0 else _LONGEST_HEADER]
        name, separator, value = line.decode("utf-8", errors="replace").partition("=")
        if separator:
            fields[name.strip()] = value.strip()
        if end < 0:
            raise fault("BAD_HEADER", path, expected="a line ElementDataFile = ...", found="none")
        start = end + 1
    return fields, start


def _is_true(text: str) -> bool:
    return text[:1].lower() in ("t", "1", "y")


def _affine(fields: dict[str, str], rank: int, path: Path) -> np.ndarray:
    matrix = np.eye(rank)
    for name in ("TransformMatrix", "Rotation", "Orientation"):
        if name in fields:
            values = text_floats(fields, name, path)
            if len(values) != rank * rank:
                raise fault("BAD_HEADER", path, expected=f"{rank * rank} numbers in {name}", found=fields[name])
            matrix = np.array(values).reshape(rank, rank).T  # one row of the text is one axis
            break
    spacing = _vector(fields, ("ElementSpacing", "ElementSize"), [1.0] * rank, path)
    origin = _vector(fields, ("Offset", "Position", "Origin"), [0.0] * rank, path)
    affine = np.eye(4)
    used = min(rank, 3)
    affine[:used, :used] = (matrix * spacing)[:used, :used]
    affine[:used, 3] = origin[:used]
    return LPS_TO_RAS @ affine


def _vector(fields: dict[str, str], names: tuple[str, ...], default: list[float], path: Path) -> list[float]:
    for name in names:
        if name in fields:
            values = text_floats(fields, name, path)
            if len(values) != len(default):
                raise fault("BAD_HEADER", path, expected=f"{len(default)} numbers in {name}", found=fields[name])
            return values
    return default
