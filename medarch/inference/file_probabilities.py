"""Class probabilities of a case on its file's grid, made from stored logits for the planes that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medarch.core.labels import LabelScheme
from medarch.core.scratch_array import ScratchArray
from medarch.inference.stored_logits import StoredLogits
from medarch.io.plane_spans import plane_spans
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.resample import resample
from medarch.preprocessing.score_lines import score_lines


class FileProbabilities:
    """A :class:`~medarch.io.volume_planes.VolumePlanes`: resample first, then softmax (regions: sigmoid), as nnU-Net.

    Outside the crop nothing was predicted: that is background for certain. What every class is divided by there, the
    sum of all exponentials, is kept on the disk once it is known, so that classes can be asked for one by one.

    Args:
        stored: linear or nearest on the way back (``record.score_order`` 0 or 1).
        labels: whether channels are labels or regions.
        folder: on whose disk.
    """

    def __init__(self, stored: StoredLogits, labels: LabelScheme, folder: Path) -> None:
        self.record, self.regions = stored.record, labels.has_regions
        self._stored = stored
        self._axis = stored.axes[0]
        self._line = score_lines(self.record)[self._axis]
        self._cropped = tuple(self.record.cropped_shape[axis] for axis in stored.axes)
        self._sums = ScratchArray(folder, self._cropped)  # logarithms
        self._known = np.zeros(self._cropped[0], dtype=bool)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(classes, I, J, K)``."""
        return (self._stored.values.shape[0], *self.record.geometry.shape)

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        """``(channels, I, J, high - low)`` float32."""
        record = self.record
        classes, i, j, k = self.shape
        wanted = range(classes)[channels]
        out = np.zeros((len(wanted), high - low, j, i), dtype=np.float32).transpose(0, 3, 2, 1)
        if not self.regions and 0 in wanted:
            out[wanted.index(0)] = 1.0
        # The same planes in the network's direction, counted from the crop's first.
        start, stop = (k - high, k - low) if record.flips[self._axis] else (low, high)
        begin, end = record.crop[self._axis]
        first, last = max(start, begin), min(stop, end)
        if first < last:
            place = [slice(*ends) for ends in record.crop]
            place[self._axis] = slice(first - start, last - start)
            view = network_view(out, permutation=record.permutation, flips=record.flips)[(slice(None), *place)]
            target = view.transpose(0, *(axis + 1 for axis in self._stored.axes))
            self._fill(target, wanted, first - begin, last - begin)
        return out

    def close(self) -> None:
        """Give the disk's space back, also that of the logits."""
        self._sums.close()
        self._stored.close()

    def _fill(self, target: np.ndarray, wanted: Sequence[int], low: int, high: int) -> None:
        """Write planes of the crop, ``(wanted, high - low, *others)``."""
        if not self.regions and len(wanted) < self.shape[0]:
            sums = self._sums_of(low, high)
            for place, number in zip(target, wanted, strict=True):
                np.exp(self._logits(number, low, high) - sums, out=place)
            return
        for place, number in zip(target, wanted, strict=True):
            logits = self._logits(number, low, high)
            place[...] = _sigmoid(logits) if self.regions else logits
        if not self.regions:
            self._note(low, high, _softmax(target))

    def _sums_of(self, low: int, high: int) -> np.ndarray:
        if not self._known[low:high].all():
            _, second, third = self._cropped
            for start, stop in plane_spans(self.shape[0], (second, third, high - low)):
                values = np.stack([self._logits(number, low + start, low + stop) for number in range(self.shape[0])])
                self._note(low + start, low + stop, _softmax(values))
        return self._sums.read((), low, high)

    def _note(self, low: int, high: int, sums: np.ndarray) -> None:
        self._sums.write((), low, sums)
        self._known[low:high] = True

    def _logits(self, number: int, low: int, high: int) -> np.ndarray:
        """One class at planes of the crop, ``(high - low, *others)``; the planes' own axis goes first."""
        begin, end = self._line.support(low, high)
        planes = self._stored.values.read((number,), begin, end)
        across = self._line.matrix(low, high)
        planes = (across @ planes.reshape(end - begin, -1)).reshape(high - low, *planes.shape[1:])
        shape = (high - low, self._cropped[1], self._cropped[2])
        found: np.ndarray = resample(
            planes[None],
            shape,
            order=self.record.score_order,
            separate_axis=self._stored.coarse,
            coarse_order=self.record.coarse_order,
        )[0]
        return found


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # an infinite exponential is a probability of 0
        found: np.ndarray = 1.0 / (1.0 + np.exp(-logits))
    return found


def _softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the first axis in place; returns the logarithms of the sums of exponentials."""
    largest = values.max(axis=0)
    values -= largest
    np.exp(values, out=values)
    sums = values.sum(axis=0)
    values /= sums
    total: np.ndarray = largest + np.log(sums)
    return total
