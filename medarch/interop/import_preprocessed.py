"""A dataset that nnU-Net preprocessed, as a workspace in which training goes on without the raw images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from medarch.core.dataset import Dataset
from medarch.core.errors import MedarchError, PreprocessingError, UsageError
from medarch.core.files import remove_leftovers
from medarch.core.fingerprint import CaseFingerprint, Fingerprint
from medarch.core.folder_lock import folder_lock
from medarch.core.parallel import run_parallel
from medarch.core.plan import Plan
from medarch.core.record import Record
from medarch.core.workspace import Workspace
from medarch.interop.import_prepared_case import ImportTarget, import_prepared_case
from medarch.interop.read_preprocessed import Preprocessed, read_preprocessed
from medarch.planning.make_splits import make_splits
from medarch.planning.split_file import save_splits
from medarch.preprocessing.recipe_sha256 import recipe_sha256


class ImportedDataset(Record):
    """What was imported."""

    folder: Path
    """``WORKSPACE/DATASET``."""
    dataset: str
    cases: int
    plans: dict[str, tuple[str, ...]]
    """Plan → its configurations with prepared cases."""


def import_preprocessed(
    source: Path,
    workspace: Path,
    *,
    configuration: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportedDataset:
    """Make a workspace of a folder ``nnUNet_preprocessed/DatasetXXX_NAME``; voxels are taken over as they are.

    Writes dataset, fingerprint, splits, a plan for each plans file and the case store of each configuration that was
    prepared. A killed run loses the cases in work and nothing else. The folder must stay where it is: its label maps
    are what validation measures by, and a change of its files is noticed.

    Args:
        source: nnU-Net's folder.
        workspace: where runs lie.
        configuration: take over the cases of this one only; default all.
        workers: processes; default one a core, 0 for none.
        progress: called with ``(cases done, cases in all)``.

    Raises:
        DatasetError: the folder is not complete.
        PlanError: medarch can express none of its plans.
        PreprocessingError: some cases cannot be taken over; all others are, and the message gives each cause.
        UsageError: the workspace has another dataset or plan of that name, or ``configuration`` is not prepared.
    """
    found = read_preprocessed(source)
    room = Workspace(workspace, found.dataset.name)
    chosen = {key: place for key, place in found.folders.items() if configuration in (None, key[1])}
    if not chosen:
        raise UsageError(
            f"{configuration} is not prepared in {source}",
            expected=", ".join(sorted({name for _, name in found.folders})),
            found=str(configuration),
            fix="choose one of those, or run nnUNetv2_preprocess -c for it",
        )
    _require_same_dataset(found.dataset, room)
    targets = _targets(found, chosen, room)
    with _locked(targets):
        measures = _import_cases(found.dataset, targets, workers, progress)
    fingerprint = Fingerprint(
        dataset=found.dataset.name,
        dataset_sha256=found.dataset.content_sha256(),
        cases=measures,
        intensities=found.intensities,
        median_relative_size_after_crop=found.median_relative_size,
        num_training=len(measures) if found.dataset.num_training is None else found.dataset.num_training,
    )
    plans = [plan.model_copy(update={"fingerprint_sha256": fingerprint.sha256()}) for plan in found.plans]
    for plan in plans:
        _require_same_plan(plan, room)
    found.dataset.save(room.dataset_file)
    fingerprint.save(room.fingerprint_file)
    save_splits(make_splits(found.dataset), room.splits_file)
    for plan in plans:
        plan.save(room.plan_file(plan.name))
    prepared = {plan.name: tuple(name for name in plan.configurations if (plan.name, name) in chosen) for plan in plans}
    return ImportedDataset(folder=room.folder, dataset=room.dataset, cases=len(measures), plans=prepared)


def _targets(found: Preprocessed, chosen: dict[tuple[str, str], Path], room: Workspace) -> tuple[ImportTarget, ...]:
    """One target a recipe: configurations with equal recipes share what is prepared."""
    targets: dict[str, ImportTarget] = {}
    for plan in found.plans:
        for name, configuration in plan.configurations.items():
            if (place := chosen.get((plan.name, name))) is not None:
                recipe = configuration.preprocessing
                sha256 = recipe_sha256(recipe, plan.labels)
                targets.setdefault(sha256, ImportTarget(place, recipe, sha256, room.prepared / sha256[:16]))
    return tuple(targets.values())


@contextlib.contextmanager
def _locked(targets: Sequence[ImportTarget]) -> Iterator[None]:
    """Hold the stores, as preparing does."""
    with contextlib.ExitStack() as stack:
        for store in sorted(target.store for target in targets):
            stack.enter_context(folder_lock(store))
            remove_leftovers(store)
        yield


def _import_cases(
    dataset: Dataset,
    targets: Sequence[ImportTarget],
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[CaseFingerprint, ...]:
    work = partial(import_prepared_case, targets=targets, labels=dataset.labels, channels=len(dataset.channels))
    found: dict[str, CaseFingerprint] = {}
    failed: dict[str, MedarchError] = {}
    for done, outcome in enumerate(run_parallel(work, dataset.cases, workers=workers), start=1):
        if outcome.error is not None:
            failed[outcome.item.id] = outcome.error
        elif outcome.value is not None:
            found[outcome.item.id] = outcome.value
        if progress is not None:
            progress(done, len(dataset.cases))
    if failed:
        lines = [f"\n  {case}: {' '.join(str(error).split())[:500]}" for case, error in sorted(failed.items())]
        raise PreprocessingError(
            f"{len(failed)} of {len(dataset.cases)} cases cannot be taken over; the others are",
            found="".join(lines) + "\n",
            fix="correct those cases and run again",
        )
    return tuple(found[case.id] for case in dataset.cases)


def _require_same_dataset(dataset: Dataset, room: Workspace) -> None:
    if room.dataset_file.exists() and Dataset.load(room.dataset_file).root != dataset.root:
        raise UsageError(
            f"{room.folder} holds another dataset of that name",
            expected=str(dataset.root),
            found=str(Dataset.load(room.dataset_file).root),
            fix="choose another --workspace",
        )


def _require_same_plan(plan: Plan, room: Workspace) -> None:
    file = room.plan_file(plan.name)
    if file.exists() and Plan.load(file).configurations != plan.configurations:
        raise UsageError(
            f"{file} is another plan of that name",
            expected=f"the plan that nnU-Net's {plan.name} describes",
            found="other configurations",
            fix="choose another --workspace, or remove that plan",
        )
