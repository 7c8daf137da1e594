"""TIFF-based slides through tiffslide, which needs no C library of its own: where OpenSlide is not installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medarch.io.slides.openslide_reader import stated_mpp
from medarch.io.slides.slide import Slide, SlideLevel


class TiffSlideReader(Slide):
    """See https://github.com/Bayer-Group/tiffslide."""

    reader = "tiffslide"

    def __init__(self, path: Path) -> None:
        import tiffslide

        self._handle = tiffslide.TiffSlide(path)
        properties = self._handle.properties
        levels = zip(self._handle.level_dimensions, self._handle.level_downsamples, strict=True)
        power = properties.get("tiffslide.objective-power")
        bounds = [properties.get(f"tiffslide.bounds-{axis}") for axis in "xy"]
        super().__init__(
            path,
            tuple(SlideLevel((int(width), int(height)), float(down)) for (width, height), down in levels),
            mpp=stated_mpp(properties, "tiffslide"),
            power=None if power is None else float(power),
            origin=(int(bounds[0] or 0), int(bounds[1] or 0)),
        )

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        downsample = self.levels[level].downsample
        corner = (round(x * downsample), round(y * downsample))
        return np.array(self._handle.read_region(corner, level, (width, height), as_array=True))

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()
