"""Which postprocessing helps, by what it does to predictions whose references are known."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.labels import LabelScheme
from medarch.core.parallel import run_parallel
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.evaluation.dice_table import class_means, dice_row, foreground_mean
from medarch.evaluation.match_files import FilePair, Files, match_files
from medarch.io.read_label_map import read_label_map
from medarch.tasks.apply_postprocessing import apply_postprocessing

log = logging.getLogger(__name__)


def determine_postprocessing(
    predictions: Files,
    references: Files,
    *,
    labels: LabelScheme,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Postprocessing:
    """Choose steps by nnU-Net's rules (its ``determine_postprocessing``).

    First: of all foreground together keep the largest component, if the mean Dice over classes rises and that of no
    class falls. Then, where there are several classes or regions, the same for each of them in order, after the steps
    taken so far, if its own Dice rises. Every case is read once; what is kept of it is its compressed crop.

    Args:
        predictions: folder of label maps, or label maps by case.
        references: folder of label maps, or label maps by case; those without a prediction are passed over.
        labels: classes and regions, ignore label.
        workers: processes; default one a core, 0 for none.
        progress: called with cases read and all.

    Raises:
        EvaluationError: the folders do not match, or a case cannot be read.
    """
    cases = _read_all(predictions, references, labels, workers, progress)
    table = partial(_table, cases, labels=labels, workers=workers)
    steps: tuple[KeepLargest, ...] = ()
    before = current = table(steps)
    whole = KeepLargest(values=labels.foreground_values)
    tried = table((whole,))
    # As in nnU-Net a class that is in no case makes the mean undefined, which is no rise.
    if tried.mean() > current.mean() and not (tried < current).any():
        steps, current = (whole,), tried
    names = labels.foreground_names if len(labels.foreground_names) > 1 else ()
    for index, name in enumerate(names):
        step = KeepLargest(values=labels.members(name))
        tried = table((*steps, step))
        if tried[index] > current[index]:
            steps, current = (*steps, step), tried
    return Postprocessing(steps=steps, dsc_before=foreground_mean(before), dsc_after=foreground_mean(current))


@dataclass(frozen=True)
class _Crop:
    """The part of a case in which either map has a label, compressed (to some percent)."""

    shape: tuple[int, ...]
    dtype: str
    content: bytes

    @classmethod
    def of(cls, prediction: np.ndarray, reference: np.ndarray) -> _Crop:
        from scipy import ndimage

        either = (prediction != 0) | (reference != 0)
        box = (ndimage.find_objects(either.view(np.int8)) or [None])[0] or (slice(0, 1),) * either.ndim
        pair = np.stack([prediction[box], reference[box]])
        return cls(pair.shape, pair.dtype.str, zlib.compress(pair.tobytes(), level=1))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        pair = np.frombuffer(zlib.decompress(self.content), dtype=self.dtype).reshape(self.shape)
        return pair[0], pair[1]


def _read_all(
    predictions: Files,
    references: Files,
    labels: LabelScheme,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[_Crop]:
    pairs = match_files(predictions, references)
    if absent := [pair.case for pair in pairs if pair.prediction is None]:
        log.warning("%d references have no prediction, %s first; choose by all cases", len(absent), absent[0])
    pairs = [pair for pair in pairs if pair.prediction is not None]
    crops: dict[str, _Crop] = {}
    for outcome in run_parallel(partial(_read, labels), pairs, workers=workers):
        if outcome.error is not None:
            raise outcome.error
        if outcome.value is not None:
            crops[outcome.item.case] = outcome.value
        if progress is not None:
            progress(len(crops), len(pairs))
    return [crops[pair.case] for pair in pairs]


def _read(labels: LabelScheme, pair: FilePair) -> _Crop:
    if pair.prediction is None:
        raise EvaluationError(f"no prediction of case {pair.case}")
    reference = read_label_map(pair.reference, labels=labels)
    prediction = read_label_map(pair.prediction, labels=labels, grid=reference.geometry)
    return _Crop.of(prediction.array, reference.array)


def _table(
    cases: Sequence[_Crop], steps: Sequence[KeepLargest], *, labels: LabelScheme, workers: int | None
) -> np.ndarray:
    """Mean Dice of each class after ``steps``, the same sum whatever the order in which workers end."""
    rows: dict[int, np.ndarray] = {}
    jobs = list(enumerate(cases))
    for outcome in run_parallel(partial(_row, steps, labels), jobs, workers=workers):
        if outcome.error is not None or outcome.value is None:
            raise outcome.error or EvaluationError("a case could not be measured")
        rows[outcome.item[0]] = outcome.value
    return class_means([rows[index] for index in range(len(cases))])


def _row(steps: Sequence[KeepLargest], labels: LabelScheme, item: tuple[int, _Crop]) -> np.ndarray:
    prediction, reference = item[1].arrays()
    return dice_row(apply_postprocessing(prediction, steps), reference, labels=labels)
