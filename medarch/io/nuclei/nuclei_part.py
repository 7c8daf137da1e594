"""The nuclei of one part of a slide, an array a property."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np


@dataclass(frozen=True)
class NucleiPart:
    """``n`` nuclei of ``t`` types. All places are in pixels of the network's view of the whole slide; the corner of
    the slide is (0, 0) and the centre of its first pixel (0.5, 0.5).
    """

    first: np.ndarray
    """``(n, 2)`` int64: row and column of the first pixel in raster order; increasing."""
    box: np.ndarray
    """``(n, 4)`` int64: first row, first column, row behind the last, column behind the last."""
    area: np.ndarray
    """``(n,)`` int64, pixels."""
    centroid: np.ndarray
    """``(n, 2)`` float64: x, y."""
    axes: np.ndarray
    """``(n, 2)`` float64: lengths of the ellipse with the same second moments, major and minor, pixels."""
    angle: np.ndarray
    """``(n,)`` float64: of the major axis to the x axis, radians, from −π/2 to π/2, y downwards."""
    perimeter: np.ndarray
    """``(n,)`` float64: of the outline, pixels."""
    probability: np.ndarray
    """``(n,)`` float64: mean probability of being nucleus."""
    types: np.ndarray
    """``(n, t)`` float64: mean probability of each type, background first; ``t`` is 0 without types."""
    ring_nucleus: np.ndarray
    """``(r,)`` int64: which nucleus each ring of an outline belongs to; its outer ring comes first."""
    ring_start: np.ndarray
    """``(r + 1,)`` int64: where each ring's points start in ``points``; the last is their number."""
    points: np.ndarray
    """``(p, 2)`` int64: x and y of outline points **times two**; rings are not closed."""
    run_nucleus: np.ndarray
    """``(s,)`` int64: which nucleus each run of pixels belongs to."""
    runs: np.ndarray
    """``(s, 3)`` int64: row, first column, column behind the last."""

    def __len__(self) -> int:
        return len(self.first)

    @property
    def shares(self) -> np.ndarray:
        """``(n, t - 1)`` float64: probabilities of the types, background left out, scaled to a sum of 1."""
        types = self.types[:, 1:]
        total = types.sum(axis=1, keepdims=True)
        shares = np.full_like(types, 1 / max(types.shape[1], 1))
        np.divide(types, total, out=shares, where=total > 0)
        return shares

    @property
    def kind(self) -> np.ndarray:
        """``(n,)`` int64: the most probable type other than background, from 1; 0 where there are no types."""
        if self.types.shape[1] < 2:
            return np.zeros(len(self), np.int64)
        likeliest: np.ndarray = self.shares.argmax(axis=1).astype(np.int64) + 1
        return likeliest

    @classmethod
    def empty(cls, types: int) -> Self:
        """No nuclei."""
        whole, real = np.int64, np.float64
        return cls(
            first=np.empty((0, 2), whole), box=np.empty((0, 4), whole), area=np.empty(0, whole),
            centroid=np.empty((0, 2), real), axes=np.empty((0, 2), real), angle=np.empty(0, real),
            perimeter=np.empty(0, real), probability=np.empty(0, real), types=np.empty((0, types), real),
            ring_nucleus=np.empty(0, whole), ring_start=np.zeros(1, whole), points=np.empty((0, 2), whole),
            run_nucleus=np.empty(0, whole), runs=np.empty((0, 3), whole),
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write into one file, whole or not at all.

        Not synced: a part that a power failure takes is made again, and a kill takes nothing that was renamed.
        """
        temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
        with temporary.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(self, field.name) for field in fields(self)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read a part; None if there is none or it is damaged."""
        try:
            with np.load(path) as content:
                return cls(**{field.name: content[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
