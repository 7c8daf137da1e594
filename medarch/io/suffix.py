"""File names: which suffix says which format, and what is left as the case's name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.io.fault import fault

Format = Literal["nifti", "nrrd", "metaimage", "picture"]

FORMATS: dict[str, Format] = {
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".hdr": "nifti",
    ".hdr.gz": "nifti",
    ".img": "nifti",
    ".img.gz": "nifti",
    ".nrrd": "nrrd",
    ".nhdr": "nrrd",
    ".mha": "metaimage",
    ".mhd": "metaimage",
    ".png": "picture",
    ".tif": "picture",
    ".tiff": "picture",
    ".bmp": "picture",
    ".jpg": "picture",
    ".jpeg": "picture",
}


def split_suffix(path: Path) -> tuple[str, str]:
    """Return ``(stem, suffix)`` of a file name; the suffix is one of :data:`FORMATS` or empty."""
    name = path.name.lower()
    for suffix in sorted(FORMATS, key=len, reverse=True):
        if name.endswith(suffix):
            return path.name[: -len(suffix)], suffix
    return path.name, ""


def format_of(path: Path) -> Format:
    """Return the format that the file name promises.

    Raises:
        VolumeError: the suffix is not known (``UNKNOWN_FORMAT``).
    """
    suffix = split_suffix(path)[1]
    if not suffix:
        raise fault("UNKNOWN_FORMAT", path, expected=", ".join(FORMATS), found=path.name)
    return FORMATS[suffix]


def is_volume_file(path: Path) -> bool:
    """Whether a folder's entry stands for a volume: of a header/data pair only the header does, hidden files never."""
    suffix = split_suffix(path)[1]
    return bool(suffix) and not suffix.startswith(".img") and not path.name.startswith(".") and path.is_file()
