"""Reinhard's colour transfer."""

from __future__ import annotations

from typing import Self

import numpy as np

from medarch.core.record import Record

_TO_LMS = np.array(((0.3811, 0.5783, 0.0402), (0.1967, 0.7244, 0.0782), (0.0241, 0.1288, 0.8444)))
_TO_LAB = np.diag((3**-0.5, 6**-0.5, 2**-0.5)) @ np.array(((1, 1, 1), (1, 1, -2), (1, -1, 0)))
_LEAST = 1 / 255
Three = tuple[float, float, float]


class ColourStatistics(Record):
    """Mean and standard deviation of an image in the lαβ space.

    Source: Reinhard, Ashikhmin, Gooch, Shirley 2001, doi:10.1109/38.946629.
    """

    mean: Three
    std: Three

    @classmethod
    def of(cls, image: np.ndarray) -> Self:
        """Measure ``(J, I, 3)`` uint8."""
        values = _to_lab(image).reshape(-1, 3)
        return cls(mean=tuple(values.mean(axis=0).tolist()), std=tuple(values.std(axis=0).tolist()))

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return ``(J, I, 3)`` uint8 with this record's mean and deviation in place of its own."""
        own = type(self).of(image)
        scale = np.array(self.std) / np.maximum(own.std, 1e-6)
        return _from_lab((_to_lab(image) - own.mean) * scale + self.mean)


def _to_lab(image: np.ndarray) -> np.ndarray:
    lms = np.maximum(image / 255.0, _LEAST) @ _TO_LMS.T
    lab: np.ndarray = np.log10(lms) @ _TO_LAB.T
    return lab


def _from_lab(values: np.ndarray) -> np.ndarray:
    rgb = 10 ** (values @ np.linalg.inv(_TO_LAB).T) @ np.linalg.inv(_TO_LMS).T
    pixels: np.ndarray = np.rint(np.clip(rgb * 255, 0, 255)).astype(np.uint8)
    return pixels
