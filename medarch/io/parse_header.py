"""From the first bytes of a file to its header, if the content is what the name promises."""

from __future__ import annotations

from pathlib import Path

from medarch.io.fault import fault
from medarch.io.inflate import GZIP_MAGIC
from medarch.io.metaimage_header import parse_metaimage_header
from medarch.io.nifti_header import parse_nifti_header
from medarch.io.nrrd_header import parse_nrrd_header
from medarch.io.suffix import format_of, split_suffix
from medarch.io.volume_header import VolumeHeader

_PARSERS = {"nifti": parse_nifti_header, "nrrd": parse_nrrd_header, "metaimage": parse_metaimage_header}
_NAMES = {"nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage"}
_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"NRRD000", "NRRD"),
    (b"\x89PNG\r\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"PK\x03\x04", "zip"),
    (b"\x89HDF\r\n", "HDF5 (MINC?)"),
)
_NIFTI_STARTS = (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")


def header_path(path: Path) -> Path:
    """Return the file with the header: the .hdr (or .hdr.gz) of an .img, else the file itself."""
    stem, suffix = split_suffix(path)
    if not suffix.startswith(".img"):
        return path
    for candidate in (path.with_name(stem + ".hdr"), path.with_name(stem + ".hdr.gz")):
        if candidate.exists():
            return candidate
    raise fault("FILE_MISSING", path, expected=f"{stem}.hdr beside {path.name}", found="no such file")


def is_compressed(content: bytes, path: Path) -> bool:
    """Return whether a file is gzip, by its name.

    Raises:
        VolumeError: the name says so and the content does not, or the other way round.
    """
    named = path.name.lower().endswith(".gz")
    if named == content.startswith(GZIP_MAGIC):
        return named
    kind = content_kind(content)
    if not kind:
        raise fault("NOT_NIFTI", path, expected="gzip", found=f"first bytes {content[:4]!r}")
    raise fault("WRONG_EXTENSION", path, expected="gzip" if named else "no compression", found=kind)


def parse_header(content: bytes, path: Path) -> VolumeHeader:
    """Read a header from the (decompressed) start of a file.

    Raises:
        VolumeError: the content is of another or no known format, or the header is unusable.
    """
    format_ = format_of(path)
    kind = content_kind(content)
    if kind == _NAMES[format_]:
        return _PARSERS[format_](content, path)
    if kind:
        raise fault("WRONG_EXTENSION", path, expected=_NAMES[format_], found=kind)
    code = "NOT_NIFTI" if format_ == "nifti" else "NOT_AN_IMAGE"
    raise fault(code, path, expected=_NAMES[format_], found=f"first bytes {content[:8]!r}")


def content_kind(content: bytes) -> str:
    """Name the format of a file's first bytes; empty if it is unknown."""
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            return name
    if content.startswith(_NIFTI_STARTS):
        return "NIfTI"
    if content[128:132] == b"DICM":
        return "DICOM"
    if b"DimSize" in content[:4096] and b"ElementType" in content[:65536]:
        return "MetaImage"
    return ""
