"""Ordinary pictures (PNG, JPEG, BMP, TIFF that is not tiled) as slides of one level, held in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medarch.core.errors import SlideError
from medarch.io.slides.slide import Slide, SlideLevel

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 500_000_000
"""A larger picture is refused: it has to be decoded whole."""


class PictureReader(Slide):
    """Pixel size from the resolution that the file states (PNG ``pHYs``, JFIF density, TIFF tags), if any."""

    reader = "picture"

    def __init__(self, path: Path) -> None:
        import PIL.Image

        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            with PIL.Image.open(path) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise SlideError(
                        f"{path} is too large for a plain picture",
                        expected=f"at most {MOST_PIXELS} pixels",
                        found=f"{width}×{height}",
                        fix="save it as a tiled TIFF, e.g. with `vips tiffsave --tile --pyramid`",
                    )
                if picture.mode not in ("RGB", "RGBA", "P", "L"):
                    raise SlideError(
                        f"{path} is not a colour picture",
                        expected="8-bit RGB",
                        found=f"mode {picture.mode}",
                        fix="export it as 8-bit RGB",
                    )
                dpi = picture.info.get("dpi")
                self._pixels = _on_white(picture)
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit
        mpp = (25400 / float(dpi[0]), 25400 / float(dpi[1])) if dpi and min(dpi) > 0 else None
        super().__init__(path, (SlideLevel((width, height), 1.0),), mpp=mpp)

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        return self._pixels[y : y + height, x : x + width].copy()

    def close(self) -> None:
        """Let go of the pixels."""
        self._pixels = np.empty((0, 0, 3), np.uint8)


def _on_white(picture: Image) -> np.ndarray:
    import PIL.Image

    if picture.mode == "RGBA" or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return np.asarray(PIL.Image.alpha_composite(white, layered).convert("RGB"))
    return np.asarray(picture.convert("RGB"))
