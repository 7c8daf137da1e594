"""What every slide reader offers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from medarch.core.errors import SlideError

SANE_MPP = (0.02, 50.0)
"""What no slide has: a pixel size outside this range in µm. 72 dpi, which programs write into TIFF files by default,
would be 353 µm."""
ANISOTROPY = 1.02
"""Pixels whose sides differ by more than this ratio are not taken as square."""


@dataclass(frozen=True)
class SlideLevel:
    """One resolution of the pyramid."""

    size: tuple[int, int]
    """``(width, height)`` in its own pixels."""
    downsample: float
    """Pixels of level 0 in the side of one of its pixels."""


class Slide(ABC):
    """A picture too large for memory. Coordinates are level-0 pixels, x to the right, y downwards, from its corner."""

    reader: str
    """Name of the reader, one of :data:`~medarch.io.slides.open_slide.READERS`."""

    def __init__(
        self,
        path: Path,
        levels: tuple[SlideLevel, ...],
        *,
        mpp: tuple[float, float] | None,
        power: float | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> None:
        self.path = path
        self.levels = levels
        self.power = power
        """Objective power as stated. It is no pixel size: slides scanned "at 20×" have 0.23 to 0.5 µm."""
        self.origin = origin
        """Corner of the scanned area (OpenSlide's ``bounds-x/y``), where QuPath puts its (0, 0)."""
        self._stated_mpp = mpp
        self._given_mpp: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """``(width, height)`` of level 0."""
        return self.levels[0].size

    @property
    def mpp(self) -> float:
        """Micrometres a level-0 pixel.

        Raises:
            SlideError: the file does not state it, or states what cannot be so, and none was given.
        """
        if self._given_mpp is not None:
            return self._given_mpp
        fix = "give the pixel size in µm with --mpp, e.g. --mpp 0.25, as the scanner's documentation states it"
        if self._stated_mpp is None:
            power = "" if self.power is None else f", only a power of {self.power:g}×, which is not a pixel size"
            raise SlideError(
                f"{self.path} does not state its pixel size", expected="µm a pixel", found=f"none{power}", fix=fix
            )
        x, y = self._stated_mpp
        if not (SANE_MPP[0] <= min(x, y) and max(x, y) <= SANE_MPP[1]):
            raise SlideError(
                f"{self.path} states a pixel size that no slide has",
                expected=f"{SANE_MPP[0]} to {SANE_MPP[1]} µm a pixel",
                found=f"{x:.4g} by {y:.4g} µm (72 dpi, a default of many programs, reads as 352.8)",
                fix=fix,
            )
        if max(x, y) > ANISOTROPY * min(x, y):
            raise SlideError(
                f"{self.path} states pixels that are not square",
                expected="sides that differ by less than 2 %",
                found=f"{x:.4g} by {y:.4g} µm",
                fix=fix,
            )
        return math.sqrt(x * y)

    def with_mpp(self, mpp: float | None) -> Self:
        """Take the pixel size that the user gives instead of what the file states; None leaves it."""
        if mpp is not None and not SANE_MPP[0] <= mpp <= SANE_MPP[1]:
            raise SlideError(
                "a pixel size that no slide has",
                expected=f"{SANE_MPP[0]} to {SANE_MPP[1]} µm",
                found=f"{mpp:g}",
                fix="give --mpp in micrometres a pixel",
            )
        self._given_mpp = mpp
        return self

    def read_region(self, x: int, y: int, level: int, size: tuple[int, int]) -> np.ndarray:
        """Pixels of a level, RGB uint8 ``(height, width, 3)``; white outside the slide.

        Args:
            x: level-0 column of the left edge; may lie outside.
            y: level-0 row of the upper edge.
            level: which resolution.
            size: ``(width, height)`` in pixels of that level.

        Raises:
            SlideError: the file is damaged there.
        """
        downsample = self.levels[level].downsample
        return self.read_level(level, round(x / downsample), round(y / downsample), size)

    def read_level(self, level: int, x: int, y: int, size: tuple[int, int]) -> np.ndarray:
        """The same with the corner in pixels of the level itself."""
        width, height = size
        whole_width, whole_height = self.levels[level].size
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, whole_width), min(y + height, whole_height)
        if (left, top, right, bottom) == (x, y, x + width, y + height) and width > 0 and height > 0:
            return self._guarded(level, x, y, width, height)
        canvas = np.full((height, width, 3), 255, np.uint8)
        if right > left and bottom > top:
            inside = self._guarded(level, left, top, right - left, bottom - top)
            canvas[top - y : bottom - y, left - x : right - x] = inside
        return canvas

    def _guarded(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        try:
            pixels = self._read(level, x, y, width, height)
        except SlideError:
            raise
        except Exception as error:
            # Decoders raise whatever they like on damaged tiles: this is where it becomes one kind of error.
            raise SlideError(
                f"{self.path} cannot be read at ({x}, {y}), level {level}",
                expected=f"{width}×{height} pixels",
                found=f"{type(error).__name__}: {str(error)[:200]}",
                fix="copy or export the slide again from its source",
            ) from error
        if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
            raise SlideError(
                f"{self.path} is not a colour slide",
                expected=f"RGB uint8 ({height}, {width}, 3)",
                found=f"{pixels.dtype} {pixels.shape}",
                fix="export it as 8-bit RGB",
            )
        return pixels

    @abstractmethod
    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Read a part that lies wholly inside the level, in its own pixels."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
