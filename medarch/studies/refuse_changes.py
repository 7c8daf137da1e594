"""Runs made with different settings must not end in one table."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence

from medarch.core.errors import UsageError
from medarch.core.record import Record
from medarch.studies.open_datasets import StudyDataset
from medarch.studies.run_slurm import live_jobs
from medarch.studies.study_file import Method, StudyFile
from medarch.studies.study_folder import StudyFolder


class Identity(Record):
    """What the runs of a study depend on, by the name of the part."""

    parts: dict[str, str]


def refuse_changes(
    study: StudyFile, datasets: Sequence[StudyDataset], *, restart: bool, only: Sequence[str], keep: bool
) -> None:
    """Compare with what earlier runs were made with, and remember it.

    New datasets, methods, folds and seeds may be added at any time; evaluation, pool and time limits may change.

    Args:
        study: the file.
        datasets: its datasets.
        restart: forget the runs of the methods in ``only``, or all.
        only: methods.
        keep: write; otherwise only compare.

    Raises:
        UsageError: budget, device, a dataset (files or folds) or a method has changed; or Slurm still holds jobs that
            would have to be forgotten.
    """
    home = StudyFolder(study.output)
    before = Identity.load(home.identity_file).parts if home.identity_file.exists() else {}
    now = _parts(study, datasets)
    changed = [name for name, value in now.items() if before.get(name, value) != value]
    forgotten = [f"method {name}" for name in only]
    refused = [name for name in changed if not restart or (only and name not in forgotten)]
    if refused:
        raise UsageError(
            f"{', '.join(refused)}: not what earlier runs of this study were made with",
            expected=f"the settings and files that {home.identity_file} was written with",
            found=f"{len(refused)} change(s)",
            fix="undo the change, name another output, or begin anew with --restart",
        )
    if restart and keep:
        _forget(home, [method for method in study.methods if not only or method.name in only])
    if keep:
        Identity(parts=before | now).save(home.identity_file)


def _forget(home: StudyFolder, methods: Sequence[Method]) -> None:
    if alive := live_jobs(home.slurm):
        raise UsageError(
            "Slurm still holds jobs of this study",
            found=", ".join(alive.values()),
            fix=f"scancel {' '.join(alive.values())}",
        )
    for root in (home.runs, home.shared):
        for method in methods:
            for folder in root.glob(f"*/{method.name}"):
                shutil.rmtree(folder)


def _parts(study: StudyFile, datasets: Sequence[StudyDataset]) -> dict[str, str]:
    parts = {"budget": study.budget.text if study.budget else "", "device": study.device}
    for one in datasets:
        content = [one.dataset.content_sha256(), [split.model_dump(mode="json") for split in one.splits]]
        parts[f"dataset {one.name}"] = _sha256(json.dumps(content))
    for method in study.methods:
        changes = [path.read_text(encoding="utf-8") for path in method.changes]
        parts[f"method {method.name}"] = _sha256(method.to_json() + json.dumps(changes))
    return parts


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
