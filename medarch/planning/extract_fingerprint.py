"""The fingerprint of a dataset in one pass, every case read once in its life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from medarch.core.dataset import Dataset
from medarch.core.errors import DatasetError, MedarchError
from medarch.core.fingerprint import Fingerprint
from medarch.core.parallel import run_parallel
from medarch.planning.extract_nuclei_fingerprint import extract_nuclei_fingerprint
from medarch.planning.foreground_draws import TOTAL_DRAWS
from medarch.planning.measure_case import CaseMeasure, CaseTask, measure_case
from medarch.planning.pair_statistics import pair_statistics
from medarch.planning.pooled_statistics import pooled_statistics


def extract_fingerprint(
    dataset: Dataset,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fingerprint:
    """Measure grids, label sizes and foreground intensities of every training case; equal to nnU-Net's fingerprint.

    Args:
        dataset: its cases must have labels, or classes, or be for a registration.
        cache: folder with one small file a case. A killed run goes on where it stopped, and a new or changed case costs
            only itself; a case is changed when its bytes are. None keeps nothing.
        workers: processes; default one a core, 0 for none.
        progress: called with ``(cases done, cases in all)``.

    Raises:
        DatasetError: the dataset is empty, has no foreground, or cases cannot be read; the message lists all of them.
    """
    if not dataset.cases:
        raise DatasetError(f"dataset {dataset.name} has no training case", fix="see `medarch check`")
    if dataset.task == "nuclei":
        return extract_nuclei_fingerprint(dataset, workers=workers, progress=progress)
    draws = TOTAL_DRAWS // len(dataset.cases)
    tasks = [
        CaseTask(case, len(dataset.channels), dataset.labels, dataset.waived, draws, cache, dataset.task)
        for case in dataset.cases
    ]
    measures: dict[str, CaseMeasure] = {}
    errors: dict[str, MedarchError] = {}
    for done, outcome in enumerate(run_parallel(measure_case, tasks, workers=workers), start=1):
        if outcome.error is not None:
            errors[outcome.item.case.id] = outcome.error
        elif outcome.value is not None:
            measures[outcome.item.case.id] = outcome.value
        if progress:
            progress(done, len(tasks))
    if errors:
        raise _unreadable(dataset, errors)
    return _pool(dataset, [measures[case.id] for case in dataset.cases])


def _pool(dataset: Dataset, measures: list[CaseMeasure]) -> Fingerprint:
    filled = [measure for measure in measures if measure.intensities[0][0].size]
    if not filled:
        raise DatasetError(
            f"dataset {dataset.name} has no foreground",
            expected="a label above 0 in at least one case",
            found=f"background only in all {len(measures)} cases",
            fix="check the label files with `medarch check`",
        )
    return Fingerprint(
        dataset=dataset.name,
        dataset_sha256=dataset.content_sha256(),
        cases=tuple(measure.fingerprint for measure in measures),
        intensities=tuple(
            pooled_statistics([measure.intensities[channel] for measure in filled])
            for channel in range(len(dataset.channels))
        ),
        median_relative_size_after_crop=float(np.median([measure.relative_size for measure in measures])),
        num_training=len(dataset.cases) if dataset.num_training is None else dataset.num_training,
        class_counts=_class_counts(dataset),
        pairs=pair_statistics(dataset) if dataset.task == "registration" else None,
    )


def _class_counts(dataset: Dataset) -> dict[str, int]:
    names = () if dataset.classes is None else dataset.classes.names
    return {name: sum(name in (case.classes or ()) for case in dataset.cases) for name in names}


def _unreadable(dataset: Dataset, errors: dict[str, MedarchError]) -> DatasetError:
    lines = [f"\n  {case.id}: {errors[case.id]}" for case in dataset.cases if case.id in errors]
    return DatasetError(
        f"{len(errors)} of {len(dataset.cases)} cases of {dataset.name} cannot be measured",
        found="".join(lines),
        fix="`medarch check` says what is wrong with each file; repair or leave out these cases",
    )
