"""Which nuclei of one image overlap which of another reading of it, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.errors import EvaluationError


@dataclass(frozen=True)
class OverlapTable:
    """The contingency table of two label images, background left out, pairs without overlap left out.

    All measures of nuclei are made from it; images are read once.
    """

    truth_numbers: np.ndarray
    """``(n,)`` the reference's nuclei as numbered in its image, ascending."""
    found_numbers: np.ndarray
    """``(m,)``"""
    truth_area: np.ndarray
    """``(n,)`` pixels."""
    found_area: np.ndarray
    """``(m,)`` pixels."""
    truth_index: np.ndarray
    """``(p,)`` for each pair that overlaps, which of :attr:`truth_numbers`; ascending, then by :attr:`found_index`."""
    found_index: np.ndarray
    """``(p,)``"""
    overlap: np.ndarray
    """``(p,)`` pixels that the two share."""

    @property
    def union(self) -> np.ndarray:
        """``(p,)`` pixels of either nucleus of a pair."""
        either: np.ndarray = self.truth_area[self.truth_index] + self.found_area[self.found_index] - self.overlap
        return either

    @property
    def iou(self) -> np.ndarray:
        """``(p,)`` intersection over union of each pair."""
        ratio: np.ndarray = self.overlap / self.union
        return ratio


def overlap_table(truth: np.ndarray, found: np.ndarray) -> OverlapTable:
    """Compare two label images of one shape, ``(*shape)`` integers, 0 for background, gaps allowed.

    Raises:
        EvaluationError: shapes differ, or values are no whole numbers from 0.
    """
    if truth.shape != found.shape:
        raise EvaluationError(
            "the images to compare differ in size",
            expected="×".join(map(str, truth.shape)),
            found="×".join(map(str, found.shape)),
            fix="give the prediction of the same image",
        )
    truth_numbers, truth_area, truth_code = _coded(truth)
    found_numbers, found_area, found_code = _coded(found)
    both = np.flatnonzero((truth_code > 0) & (found_code > 0))
    pairs = (truth_code[both] - 1) * len(found_numbers) + (found_code[both] - 1)
    cells = len(truth_numbers) * len(found_numbers)
    if cells <= 4 * truth.size:
        counts = np.bincount(pairs, minlength=cells)
        codes = np.flatnonzero(counts)
        overlap = counts[codes]
    else:
        codes, overlap = np.unique(pairs, return_counts=True)
    columns = max(1, len(found_numbers))
    return OverlapTable(
        truth_numbers, found_numbers, truth_area, found_area, codes // columns, codes % columns, overlap
    )


def _coded(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers that occur, their areas, and the image with the n-th number in place of itself."""
    flat = labels.ravel()
    if flat.dtype.kind not in "iub" or (flat.size and int(flat.min()) < 0):
        raise EvaluationError(
            "an image of nuclei holds something else",
            expected="whole numbers, 0 for background",
            found=f"{labels.dtype}" + (f", least {flat.min()}" if flat.size else ""),
        )
    flat = flat.astype(np.int64)
    most = int(flat.max(initial=0))
    if most <= 4 * flat.size + 1024:
        areas = np.bincount(flat, minlength=1)
        areas[0] = 0
        numbers = np.flatnonzero(areas)
        place = np.zeros(len(areas), np.int64)
        place[numbers] = np.arange(1, len(numbers) + 1)
        return numbers, areas[numbers], place[flat]
    numbers, code, areas = np.unique(flat, return_inverse=True, return_counts=True)
    background = int(numbers[0] == 0)
    return numbers[background:], areas[background:], code.ravel() + 1 - background
