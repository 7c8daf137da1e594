"""Numbers for the nuclei of a slide that do not depend on how it was divided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import PredictionError
from medarch.io.nuclei.nuclei_part import NucleiPart


@dataclass(frozen=True)
class NumberedPart:
    """A part on disk, and the numbers of its nuclei beside it."""

    path: Path
    box: tuple[int, int, int, int]
    """Of all its nuclei: first row and column, row and column behind the last."""
    count: int

    def load(self) -> tuple[NucleiPart, np.ndarray]:
        """Read the nuclei and their numbers ``(n,)``."""
        return _load(self.path), np.load(_numbers(self.path))


def number_parts(rows: Mapping[int, Sequence[Path]]) -> list[list[NumberedPart]]:
    """Number all nuclei from 1 in raster order of their first pixels.

    Rows of parts follow each other downwards, so that one row at a time has to be held. Parts without nuclei are left
    out.

    Args:
        rows: files of :class:`~medarch.io.nuclei.nuclei_part.NucleiPart` by row.
    """
    numbered = []
    last = 0
    for row in sorted(rows):
        parts = [(path, _load(path)) for path in rows[row]]
        parts = [(path, part) for path, part in parts if len(part)]
        if not parts:
            continue
        first = np.concatenate([part.first for _, part in parts])
        numbers = np.empty(len(first), np.int64)
        numbers[np.lexsort((first[:, 1], first[:, 0]))] = np.arange(last + 1, last + 1 + len(first))
        last += len(first)
        start = 0
        line = []
        for path, part in parts:
            np.save(_numbers(path), numbers[start : start + len(part)])
            start += len(part)
            low, high = part.box[:, :2].min(axis=0), part.box[:, 2:].max(axis=0)
            line.append(NumberedPart(path, (int(low[0]), int(low[1]), int(high[0]), int(high[1])), len(part)))
        numbered.append(line)
    return numbered


def loaded_rows(numbered: Iterable[Sequence[NumberedPart]]) -> Iterator[list[tuple[NucleiPart, np.ndarray]]]:
    """Parts row by row; the numbers of each row follow on those of the one before."""
    for line in numbered:
        yield [part.load() for part in line]


def _numbers(path: Path) -> Path:
    return path.with_suffix(".numbers.npy")


def _load(path: Path) -> NucleiPart:
    part = NucleiPart.load(path)
    if part is None:
        raise PredictionError(
            f"{path} is damaged", expected="the nuclei of a chunk", fix="delete it and give the same command again"
        )
    return part
