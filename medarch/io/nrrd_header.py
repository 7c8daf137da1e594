"""NRRD headers. Source: teem.sourceforge.net/nrrd/format.html."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from medarch.io.fault import fault
from medarch.io.text_header import text_dtype, text_floats, text_ints
from medarch.io.volume_header import LPS_TO_RAS, Doubt, VolumeHeader

_DTYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "signed long long": "i8",
    "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8", "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_DIRECTIONS = {"left": (0, -1.0), "right": (0, 1.0), "posterior": (1, -1.0), "anterior": (1, 1.0),
               "inferior": (2, -1.0), "superior": (2, 1.0)}  # fmt: skip
_LETTERS = {word[0]: word for word in _DIRECTIONS}


def parse_nrrd_header(content: bytes, path: Path) -> VolumeHeader:
    """Read an attached (.nrrd) or detached (.nhdr) header.

    Raises:
        VolumeError: ``BAD_HEADER``, ``UNSUPPORTED_DTYPE``, ``UNSUPPORTED_DIMS`` or ``UNSUPPORTED_ENCODING``.
    """
    fields, end = _fields(content, path)
    sizes = text_ints(fields, "sizes", path)
    if min(sizes) < 1:
        raise fault("BAD_HEADER", path, expected="positive sizes", found=f"sizes {sizes}")
    channel_axis = _channel_axis(fields, len(sizes))
    spatial = [axis for axis in range(len(sizes)) if axis != channel_axis]
    if len(spatial) not in (2, 3) or channel_axis not in (None, 0, len(sizes) - 1):
        raise fault("UNSUPPORTED_DIMS", path, expected="2 or 3 axes, channels first or last", found=f"sizes {sizes}")
    i, j, k = (*(sizes[axis] for axis in spatial), 1)[:3]
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz") or any(
        text_ints(fields, key, path, default="0")[0] for key in ("byteskip", "lineskip")
    ):
        raise fault("UNSUPPORTED_ENCODING", path, expected="encoding raw or gzip, no skips", found=encoding)
    affine, doubts = _placement(fields, spatial, path)
    data_name = fields.get("datafile")
    return VolumeHeader(
        shape=(i, j, k),
        channels=1 if channel_axis is None else sizes[channel_axis],
        dtype=text_dtype(_DTYPES, fields.get("type", ""), fields.get("endian", "little") == "big", path),
        affine=affine,
        offset=0 if data_name else end,
        encoding="raw" if encoding == "raw" else "deflate",
        interleaved=channel_axis == 0,
        data_file=path.parent / data_name if data_name else None,
        doubts=doubts,
    )


def _fields(content: bytes, path: Path) -> tuple[dict[str, str], int]:
    """Fields by lower-case name without spaces (``data file`` = ``datafile``), and the byte after the header."""
    match = re.search(rb"\r?\n\r?\n", content)
    # A detached header may end with the file instead of an empty line.
    end = match.end() if match else len(content)
    fields: dict[str, str] = {}
    for line in content[:end].decode("utf-8", errors="replace").splitlines()[1:]:
        name, separator, value = line.partition(":")
        if separator and not line.startswith("#") and not value.startswith("="):
            fields[name.strip().lower().replace(" ", "")] = value.strip()
    if not match and "datafile" not in fields:
        raise fault("BAD_HEADER", path, expected="an empty line after the header", found="none")
    return fields, end


def _channel_axis(fields: dict[str, str], rank: int) -> int | None:
    directions = re.findall(r"none|\([^)]*\)", fields.get("spacedirections", ""))
    if "none" in directions:
        return directions.index("none")
    kinds = fields.get("kinds", "").lower().split()
    for axis, kind in enumerate(kinds):
        if kind not in ("domain", "space", "???", "none"):
            return axis
    return 3 if rank == 4 else None


def _placement(fields: dict[str, str], spatial: list[int], path: Path) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    affine = np.eye(4)
    vectors = re.findall(r"\([^)]*\)", fields.get("spacedirections", ""))
    rank = len(spatial)
    if vectors and len(vectors) < rank:
        raise fault("BAD_HEADER", path, expected=f"{rank} space directions", found=fields["spacedirections"])
    for axis, vector in enumerate(vectors[:rank]):
        affine[:rank, axis] = text_floats({"space directions": vector}, "space directions", path, least=rank)[:rank]
    if not vectors and "spacings" in fields:
        spacings = text_floats(fields, "spacings", path, least=max(spatial) + 1)
        affine[range(rank), range(rank)] = [spacings[axis] for axis in spatial]
    if "spaceorigin" in fields:
        affine[:rank, 3] = text_floats(fields, "spaceorigin", path, least=rank)[:rank]
    to_ras = _space_to_ras(fields.get("space", ""))
    if to_ras is None or not vectors:
        doubt = Doubt("NO_ORIENTATION", "space and space directions", f"space: {fields.get('space', 'none')}")
        # ITK reads an unnamed space as left-posterior-superior.
        return LPS_TO_RAS @ affine, (doubt,) if rank == 3 else ()
    return to_ras @ affine, ()


def _space_to_ras(space: str) -> np.ndarray | None:
    """Matrix from a named space, such as ``left-posterior-superior`` or ``LPS``, to RAS; None if it is none."""
    words = space.lower().removesuffix("-time").split("-")
    if len(words) == 1 and len(space) >= 3:
        words = [_LETTERS.get(letter, "") for letter in space.lower()[:3]]
    if sorted(_DIRECTIONS[word][0] for word in words if word in _DIRECTIONS) != [0, 1, 2]:
        return None
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for axis, word in enumerate(words):
        world, sign = _DIRECTIONS[word]
        matrix[world, axis] = sign
    return matrix
