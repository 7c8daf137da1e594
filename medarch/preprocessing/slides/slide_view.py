"""A slide at a wanted pixel size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medarch.io.slides.slide import Slide

NATIVE_TOLERANCE = 0.05
"""A level whose pixels differ less from the wanted ones is taken as it is: nuclei vary more in size than that."""
_SUPPORT = 2
"""Pixels that bicubic interpolation reaches to each side."""


class SlideView:
    """The slide in pixels of ``mpp`` micrometres, from the coarsest level that is fine enough.

    A level within :data:`NATIVE_TOLERANCE` is read as it is, else resampled (bicubic, low-pass filtered where it gets
    coarser). What a pixel becomes depends on its place in the slide and on the part it is read with: who needs equal
    pixels reads equal parts.
    """

    def __init__(self, slide: Slide, mpp: float) -> None:
        self.slide = slide
        wanted = mpp / slide.mpp
        fine = [
            index for index, level in enumerate(slide.levels) if level.downsample <= wanted * (1 + NATIVE_TOLERANCE)
        ]
        self.level = max(fine, key=lambda index: slide.levels[index].downsample) if fine else 0
        level = slide.levels[self.level]
        self._step = wanted / level.downsample
        """Pixels of the level in one of the view."""
        if abs(self._step - 1) <= NATIVE_TOLERANCE:
            self._step = 1.0
        self.downsample = level.downsample * self._step
        """Level-0 pixels in one of the view."""
        self.mpp = slide.mpp * self.downsample
        self.size = (max(int(level.size[0] / self._step), 1), max(int(level.size[1] / self._step), 1))
        """``(width, height)`` in pixels of the view."""

    @property
    def resampled(self) -> bool:
        """Whether no level has the wanted pixels."""
        return self._step != 1.0

    def read(self, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Pixels of the view, RGB uint8 ``(height, width, 3)``; the slide is mirrored at its edges.

        The part has to touch the slide.
        """
        across = _Span.of(x, width, self.size[0])
        down = _Span.of(y, height, self.size[1])
        inside = self._inside(across.start, down.start, across.end, down.end)
        if not (across.mirrored or down.mirrored):
            return inside
        padded = np.pad(inside, ((down.before, down.after), (across.before, across.after), (0, 0)), mode="symmetric")
        return padded[down.skipped : down.skipped + height, across.skipped : across.skipped + width]

    def _inside(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        if not self.resampled:
            return self.slide.read_level(self.level, left, top, (right - left, bottom - top))
        import PIL.Image

        spans = []
        for low, high, whole in zip((left, top), (right, bottom), self.slide.levels[self.level].size, strict=True):
            first, last = low * self._step, min(high * self._step, whole)
            reach = _SUPPORT * max(self._step, 1.0) + 1
            start, end = max(math.floor(first - reach), 0), min(math.ceil(last + reach), whole)
            spans.append((start, end, first - start, last - start))
        (x, x_end, box_left, box_right), (y, y_end, box_top, box_bottom) = spans
        pixels = self.slide.read_level(self.level, x, y, (x_end - x, y_end - y))
        resized = PIL.Image.fromarray(pixels).resize(
            (right - left, bottom - top), PIL.Image.Resampling.BICUBIC, box=(box_left, box_top, box_right, box_bottom)
        )
        return np.asarray(resized)


@dataclass(frozen=True)
class _Span:
    """What to read along an axis, and what of it to mirror."""

    start: int
    end: int
    before: int
    after: int
    """Pixels that are mirrored at either end."""
    skipped: int
    """Pixels that were read only to be mirrored."""

    @classmethod
    def of(cls, low: int, length: int, whole: int) -> _Span:
        start, end = max(low, 0), min(low + length, whole)
        before, after = start - low, low + length - end
        further = min(start, max(whole - after, 0)) if after else start
        return cls(further, max(end, min(before, whole)), before, after, start - further)

    @property
    def mirrored(self) -> bool:
        return self.before > 0 or self.after > 0
