"""The grid of a file without its voxels."""

from __future__ import annotations

from pathlib import Path

from medarch.core.geometry import Geometry
from medarch.io.inflate import inflate_start
from medarch.io.parse_header import header_path, is_compressed, parse_header
from medarch.io.picture import open_picture, picture_geometry
from medarch.io.read_bytes import read_bytes
from medarch.io.suffix import format_of

_HEAD_BYTES = 65536


def read_geometry(path: Path) -> tuple[Geometry, int]:
    """Return the grid and the number of channels from the first bytes of a file.

    That the voxels are all there is not checked; :func:`medarch.io.read_volume.read_volume` does that.

    Raises:
        VolumeError: the header is missing, damaged or of an unsupported kind.
        GeometryError: its affine is singular or not finite.
    """
    path = Path(path)
    if format_of(path) == "picture":
        picture, channels = open_picture(read_bytes(path), path)
        return picture_geometry(*picture.size), channels
    head_path = header_path(path)
    content = read_bytes(head_path, _HEAD_BYTES)
    if is_compressed(content, head_path):
        content = inflate_start(content, _HEAD_BYTES)
    header = parse_header(content, head_path)
    return header.geometry(head_path), header.channels
