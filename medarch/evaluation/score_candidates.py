"""Dice of configurations and of pairs of them, from what they said in cross-validation."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.labels import LabelScheme
from medarch.core.parallel import run_parallel
from medarch.core.selection import Candidate
from medarch.evaluation.dice_table import class_means, dice_row, foreground_mean
from medarch.io.probability_files import ProbabilitySource
from medarch.io.read_label_map import read_label_map
from medarch.tasks.decode_planes import decode_planes
from medarch.tasks.mean_planes import MeanPlanes


def score_candidates(
    label_maps: Mapping[str, Mapping[str, Path]],
    probabilities: Mapping[str, ProbabilitySource],
    references: Mapping[str, Path],
    *,
    labels: LabelScheme,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Candidate, ...]:
    """Score every configuration, and every pair of those with probabilities; singles first, as in nnU-Net.

    Each case's probabilities are read once for all pairs; no ensemble is written.

    Args:
        label_maps: by configuration and case.
        probabilities: by configuration.
        references: label maps by case; every case must be predicted by every configuration.
        labels: classes and regions, ignore label.
        workers: processes; default one, because the probabilities of one case can fill much of a disk:
            they lie unpacked in the system's temporary folder.
        progress: called with cases done and all.

    Raises:
        EvaluationError: a case is missing or cannot be read.
    """
    for name, maps in label_maps.items():
        if absent := sorted(set(references) - set(maps)):
            raise EvaluationError(
                f"the cross-validation of {name} is not complete",
                expected=f"{len(references)} cases",
                found=f"none of {', '.join(absent[:5])}",
                fix="train its folds again",
            )
    pairs = tuple(itertools.combinations(probabilities, 2))
    work = partial(_rows, _Job(label_maps, probabilities, references, pairs, labels))
    rows: dict[str, list[np.ndarray]] = {}
    for outcome in run_parallel(work, sorted(references), workers=1 if workers is None else workers):
        if outcome.error is not None or outcome.value is None:
            raise outcome.error or EvaluationError(f"case {outcome.item} could not be scored")
        rows[outcome.item] = outcome.value
        if progress is not None:
            progress(len(rows), len(references))
    candidates = [*((name,) for name in label_maps), *pairs]
    scores = [
        foreground_mean(class_means([rows[case][index] for case in sorted(rows)])) for index in range(len(candidates))
    ]
    return tuple(Candidate(configurations=names, dsc=dsc) for names, dsc in zip(candidates, scores, strict=True))


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know besides the case."""

    label_maps: Mapping[str, Mapping[str, Path]]
    probabilities: Mapping[str, ProbabilitySource]
    references: Mapping[str, Path]
    pairs: Sequence[tuple[str, str]]
    labels: LabelScheme


def _rows(job: _Job, case: str) -> list[np.ndarray]:
    """``(classes,)`` Dice of each configuration, then of each pair."""
    reference = read_label_map(job.references[case], labels=job.labels)

    def score(prediction: np.ndarray) -> np.ndarray:
        return dice_row(prediction, reference.array, labels=job.labels)

    found = [
        score(read_label_map(maps[case], labels=job.labels, grid=reference.geometry).array)
        for maps in job.label_maps.values()
    ]
    if not job.pairs:
        return found
    with contextlib.ExitStack() as files:
        folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="medarch-")))
        shares = {
            name: files.enter_context(source.open(case, scratch=folder)) for name, source in job.probabilities.items()
        }
        for pair in job.pairs:
            found.append(score(decode_planes(MeanPlanes([shares[name] for name in pair]), job.labels)))
    return found
