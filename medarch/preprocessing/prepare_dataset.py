"""Every case of a dataset prepared once, in parallel, and never twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import parent_process
from pathlib import Path

from medarch.core.dataset import Case, Dataset, case_sha256
from medarch.core.errors import MedarchError, PreprocessingError, RecordError, WorkerError
from medarch.core.folder_lock import folder_lock
from medarch.core.labels import LabelScheme
from medarch.core.parallel import run_parallel
from medarch.core.plan import PreprocessingPlan
from medarch.io.read_case import read_case
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.one_blas_thread import one_blas_thread
from medarch.preprocessing.prepare_case import PreparedArrays, prepare_case
from medarch.preprocessing.recipe_sha256 import recipe_sha256
from medarch.preprocessing.sample_locations import sample_locations

Progress = Callable[[int, int], None]


def prepare_dataset(
    dataset: Dataset,
    recipe: PreprocessingPlan,
    folder: Path,
    *,
    cases: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CaseStore:
    """Prepare cases into ``folder / HASH`` and return that store.

    A case that lies there already, made from the same files with the same recipe, is kept; files with unchanged names,
    sizes and times are taken as the same, others are read and compared by content. So a killed run loses the cases in
    work and nothing else. Each worker holds one case; cases for which memory did not suffice are tried once more, one
    at a time. Two runs on one folder wait for each other.

    Args:
        dataset: what to prepare.
        recipe: how; configurations with equal recipes share the store.
        folder: the workspace's ``prepared`` folder.
        cases: ids, training or test; default all training cases.
        workers: processes; default one a core, 0 for none.
        progress: called with ``(cases done, cases in all)``.

    Raises:
        PreprocessingError: some cases failed; all others are prepared, and the message gives the cause of each failure.
        DatasetError: an id is unknown.
    """
    chosen = dataset.cases if cases is None else tuple(dataset.case(case) for case in cases)
    recipe_hash = recipe_sha256(recipe, dataset.labels)
    job = _Job(folder / recipe_hash[:16], recipe, recipe_hash, dataset.labels, len(dataset.channels), dataset.waived)
    with folder_lock(job.folder):
        for leftover in job.folder.glob(".tmp-*"):
            leftover.unlink()
        store = CaseStore(job.folder)
        waiting = [case for case in chosen if not _is_untouched(store, case)]
        if waiting:
            import scipy.ndimage  # noqa: F401  half a second, here once rather than in every forked worker
        failed = _prepare_all(job, waiting, workers, _after(progress, len(chosen) - len(waiting), len(chosen)))
    if failed:
        raise _summary(failed, len(chosen))
    return CaseStore(job.folder)  # a fresh one, that has no replaced file open


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know besides the case."""

    folder: Path
    recipe: PreprocessingPlan
    recipe_sha256: str
    labels: LabelScheme
    channels: int
    waived: tuple[str, ...]


def _prepare_all(
    job: _Job, cases: Sequence[Case], workers: int | None, advance: Callable[[], None]
) -> dict[str, MedarchError]:
    failed: dict[str, MedarchError] = {}
    starved: list[Case] = []
    work = partial(_prepare_one, job)
    for outcome in run_parallel(work, cases, workers=workers):
        if outcome.error is not None and _out_of_memory(outcome.error):
            starved.append(outcome.item)
            continue
        if outcome.error is not None:
            failed[outcome.item.id] = outcome.error
        advance()
    for outcome in run_parallel(work, starved, workers=1):
        if outcome.error is not None:
            failed[outcome.item.id] = outcome.error
        advance()
    return failed


def _prepare_one(job: _Job, case: Case) -> None:
    if parent_process() is not None:  # a worker, one of as many as there are cores
        one_blas_thread()
    store = CaseStore(job.folder)
    stamp = _source_stamp(case)  # before reading: a file that changes meanwhile must look changed next time
    volumes = read_case(case, channels=job.channels, labels=job.labels, waived=job.waived)
    if _stored_source(store, case) == volumes.content_sha256:
        _stamp_anew(store, case, stamp)
        return
    arrays = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=job.recipe, label=volumes.label)
    record = arrays.record.model_copy(
        update={"source_sha256": volumes.content_sha256, "recipe_sha256": job.recipe_sha256}
    )
    locations = {} if arrays.label is None else sample_locations(arrays.label, job.labels)
    store.write(replace(arrays, record=record), locations, source_stamp=stamp or "")


def _source_stamp(case: Case) -> str | None:
    """Return names, sizes and times of the files as one hash; None when one is missing, which reading will report."""
    try:
        return case_sha256(case)
    except OSError:
        return None


def _is_untouched(store: CaseStore, case: Case) -> bool:
    """Whether the case is stored whole and its files look as they did then."""
    try:
        return store.source_stamp(case.id) == _source_stamp(case)
    except PreprocessingError:
        return False


def _stored_source(store: CaseStore, case: Case) -> str | None:
    """Return the hash of the bytes that a stored case was made from; None when it is not there, or damaged."""
    with contextlib.suppress(PreprocessingError, RecordError):
        source = store.record(case.id).source_sha256
        store.verify(case.id)
        return source
    return None


def _stamp_anew(store: CaseStore, case: Case, stamp: str | None) -> None:
    label = store.read_label(case.id) if case.label else None
    arrays = PreparedArrays(store.read_image(case.id), label, store.record(case.id))
    store.write(arrays, store.locations(case.id), source_stamp=stamp or "")


def _out_of_memory(error: MedarchError) -> bool:
    return isinstance(error, WorkerError) and (error.found == "SIGKILL" or error.summary == "out of memory")


def _after(progress: Progress | None, done: int, total: int) -> Callable[[], None]:
    """Return a function to call after each case; cases found done count at once."""
    if progress is None:
        return lambda: None
    progress(done, total)
    numbers = iter(range(done + 1, total + 1))
    return lambda: progress(next(numbers), total)


def _summary(failed: dict[str, MedarchError], total: int) -> PreprocessingError:
    # One line a case; of a long message (a traceback) the end, where the cause stands.
    causes = {case: " ".join(str(error).split()) for case, error in sorted(failed.items())}
    lines = [f"\n  {case}: {cause if len(cause) <= 500 else '... ' + cause[-500:]}" for case, cause in causes.items()]
    return PreprocessingError(
        f"{len(failed)} of {total} cases could not be prepared; the others are",
        found="".join(lines) + "\n",
        fix="correct those cases and run again: prepared cases are kept",
    )
