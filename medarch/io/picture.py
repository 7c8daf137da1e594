"""Ordinary 2D pictures (PNG, TIFF, BMP, JPEG). Axis i runs along a row to the right, j downwards, as in ITK."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medarch.core.geometry import Geometry
from medarch.io.fault import fault
from medarch.io.parse_header import content_kind
from medarch.io.volume_header import LPS_TO_RAS

if TYPE_CHECKING:
    from PIL.Image import Image

_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I;16B": 1, "I": 1, "F": 1, "LA": 1, "RGB": 3, "RGBA": 3, "P": 3}
"""Channels by pillow mode. Palettes are resolved to colours; an alpha channel may only be opaque and is left out."""
_KINDS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".jpg": "JPEG", ".jpeg": "JPEG"}


_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What pillow's decoders raise on damaged files (LookupError and TypeError for missing TIFF tags)."""


def picture_geometry(width: int, height: int) -> Geometry:
    """Return the grid ``(I, J, 1)`` of a picture, 1 mm apart, for pictures know no millimetres."""
    return Geometry.from_array((width, height, 1), LPS_TO_RAS)


def open_picture(content: bytes, path: Path) -> tuple[Image, int]:
    """Return the picture, its pixels not yet decoded, and its number of channels.

    Raises:
        VolumeError: the content is no picture of that format, or its pixels are of an unsupported kind.
    """
    import PIL.Image

    try:
        picture = PIL.Image.open(io.BytesIO(content))
        pages = int(getattr(picture, "n_frames", 1))
    except (*_DAMAGE, PIL.Image.DecompressionBombError) as error:
        kind = content_kind(content)
        if kind not in ("", _KINDS[path.suffix.lower()]):
            raise fault("WRONG_EXTENSION", path, expected=path.suffix, found=kind) from error
        raise fault("NOT_AN_IMAGE", path, expected=path.suffix, found=str(error)[-200:]) from error
    if picture.format != _KINDS[path.suffix.lower()]:
        raise fault("WRONG_EXTENSION", path, expected=path.suffix, found=str(picture.format))
    if pages > 1:
        raise fault("UNSUPPORTED_DIMS", path, expected="one picture", found=f"{pages} pages")
    if picture.mode not in _CHANNELS:
        raise fault("UNSUPPORTED_DTYPE", path, expected="grey or RGB", found=f"mode {picture.mode}")
    return picture, _CHANNELS[picture.mode]


def picture_array(picture: Image, path: Path) -> np.ndarray:
    """Decode to ``(C, I, J, 1)``.

    Raises:
        VolumeError: the file is cut short or damaged, or it is partly transparent.
    """
    try:
        pixels = np.asarray(picture.convert("RGB") if picture.mode == "P" else picture)
    except _DAMAGE as error:
        code = "TRUNCATED" if "truncated" in str(error).lower() else "CORRUPT_STREAM"
        raise fault(code, path, found=repr(error)) from error
    if picture.mode in ("LA", "RGBA"):
        if pixels[..., -1].min() < 255:
            raise fault("UNSUPPORTED_DTYPE", path, expected="an opaque picture", found="transparent pixels")
        pixels = pixels[..., :-1]
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    rows, columns = pixels.shape[:2]
    planes = np.moveaxis(pixels.reshape(rows, columns, -1), -1, 0)
    return np.ascontiguousarray(planes[:, np.newaxis]).transpose(0, 3, 2, 1)
