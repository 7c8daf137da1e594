"""Slides through OpenSlide: Aperio, Hamamatsu, Leica, MIRAX, Philips, Sakura, Trestle, Ventana, Zeiss, DICOM, TIFF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medarch.io.slides.slide import Slide, SlideLevel


class OpenSlideReader(Slide):
    """See https://openslide.org/formats/. What is transparent (never scanned) takes the slide's background colour."""

    reader = "openslide"

    def __init__(self, path: Path) -> None:
        import openslide

        self._handle = openslide.OpenSlide(path)
        properties = self._handle.properties
        levels = zip(self._handle.level_dimensions, self._handle.level_downsamples, strict=True)
        background = properties.get("openslide.background-color", "ffffff")
        self._background = np.array([int(background[start : start + 2], 16) for start in (0, 2, 4)], np.float32)
        super().__init__(
            path,
            tuple(SlideLevel(size, downsample) for size, downsample in levels),
            mpp=stated_mpp(properties, "openslide"),
            power=_number(properties.get("openslide.objective-power")),
            origin=(int(properties.get("openslide.bounds-x", 0)), int(properties.get("openslide.bounds-y", 0))),
        )

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        downsample = self.levels[level].downsample
        corner = (round(x * downsample), round(y * downsample))
        pixels = np.asarray(self._handle.read_region(corner, level, (width, height)))
        colour, alpha = pixels[..., :3], pixels[..., 3:]
        if alpha.min() == 255:
            return np.ascontiguousarray(colour)
        share = alpha.astype(np.float32) / 255
        return np.rint(colour * share + self._background * (1 - share)).astype(np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()


def stated_mpp(properties: Mapping[str, object], prefix: str) -> tuple[float, float] | None:
    """``PREFIX.mpp-x`` and ``-y`` as numbers; None if either is missing."""
    x, y = (_number(properties.get(f"{prefix}.mpp-{axis}")) for axis in "xy")
    return None if x is None or y is None else (x, y)


def _number(text: object) -> float | None:
    try:
        value = float(str(text).replace(",", "."))  # some scanners write a decimal comma
    except ValueError:
        return None
    return value if value > 0 else None
