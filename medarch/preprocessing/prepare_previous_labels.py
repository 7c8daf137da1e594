"""Finished label maps of a cascade's first stage brought to the second stage's grid, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medarch.core.errors import MedarchError, PreprocessingError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.labels import LabelScheme
from medarch.core.parallel import run_parallel
from medarch.core.plan import PreprocessingPlan
from medarch.core.prepared import PreparedCase
from medarch.io.read_label_map import read_label_map
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_label import prepare_label
from medarch.preprocessing.previous_labels import PreviousLabels


@dataclass(frozen=True)
class FinishedLabelMap:
    """A label map on a case's own grid."""

    path: Path
    made_by: str
    """Hash of the model that predicted it."""


def prepare_previous_labels(
    maps: Mapping[str, FinishedLabelMap],
    store: CaseStore,
    folder: Path,
    *,
    recipe: PreprocessingPlan,
    labels: LabelScheme,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PreviousLabels:
    """Bring label maps to the grids of their prepared cases; those of the same model and case are not touched.

    Args:
        maps: by case.
        store: the prepared cases.
        folder: where the result lies.
        recipe: how the cases were prepared.
        labels: the values the maps may hold.
        workers: processes; default one a core, 0 for none.
        progress: called with cases done and all.

    Raises:
        PreprocessingError: some label maps do not fit their cases; all others are prepared.
    """
    job = _Job(folder, store.folder, recipe, labels)
    failed: dict[str, MedarchError] = {}
    with folder_lock(folder):
        remove_leftovers(folder)
        kept = PreviousLabels(folder)
        waiting = [
            (case, found) for case, found in maps.items()
            if kept.origin(case) != (found.made_by, _origin(store.record(case)))
        ]  # fmt: skip
        for done, outcome in enumerate(run_parallel(partial(_prepare, job), waiting, workers=workers), start=1):
            if outcome.error is not None:
                failed[outcome.item[0]] = outcome.error
            if progress is not None:
                progress(len(maps) - len(waiting) + done, len(maps))
    if failed:
        raise PreprocessingError(
            f"the previous stage's label maps of {len(failed)} of {len(maps)} cases cannot be used",
            found="".join(f"\n  {case}: {error}" for case, error in sorted(failed.items())) + "\n",
            fix="train the previous stage's folds again",
        )
    return PreviousLabels(folder)  # a fresh one, that has no replaced file open


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know besides the case."""

    folder: Path
    store: Path
    recipe: PreprocessingPlan
    labels: LabelScheme


def _prepare(job: _Job, item: tuple[str, FinishedLabelMap]) -> None:
    case, found = item
    record = CaseStore(job.store).record(case)
    label = read_label_map(found.path, labels=job.labels, grid=record.geometry).array
    prepared = prepare_label(label, record, recipe=job.recipe)
    PreviousLabels(job.folder).write(case, prepared, made_by=found.made_by, prepared_from=_origin(record))


def _origin(record: PreparedCase) -> str:
    return hashlib.sha256((record.source_sha256 + record.recipe_sha256).encode()).hexdigest()
