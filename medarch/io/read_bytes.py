"""A file's bytes, once."""

from __future__ import annotations

from pathlib import Path

from medarch.io.fault import fault


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """Return the content of a file, or its first ``limit`` bytes.

    Raises:
        VolumeError: the file is missing, unreadable (``FILE_MISSING``) or empty (``EMPTY_FILE``).
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(limit)
    except (OSError, ValueError) as error:  # ValueError: a damaged header names a file with a null byte
        raise fault("FILE_MISSING", path, found=str(error)) from error
    if not content:
        raise fault("EMPTY_FILE", path, expected="an image", found="0 bytes")
    return content
