"""The datasets of a study: cases, folds and patients, before anything runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from medarch.core.dataset import Dataset, Split
from medarch.core.errors import DatasetError, UsageError
from medarch.io.read_dataset import read_dataset
from medarch.planning.make_splits import make_splits
from medarch.planning.split_file import load_splits
from medarch.studies.study_file import DatasetEntry, StudyFile


@dataclass(frozen=True)
class StudyDataset:
    """A dataset with the folds that every method gets."""

    name: str
    entry: DatasetEntry
    dataset: Dataset
    splits: tuple[Split, ...]
    folds: tuple[int, ...]
    """Those the study uses."""
    patients: dict[str, str]
    """Patient by case id."""


def open_datasets(study: StudyFile) -> tuple[StudyDataset, ...]:
    """Read every dataset and its folds.

    Raises:
        DatasetError: a dataset or its splits cannot be used, or a case has no label.
        UsageError: a fold does not exist, a name is used twice, or ``patient`` does not match a case.
    """
    opened = tuple(_open(entry, study, f"datasets[{index}]") for index, entry in enumerate(study.datasets))
    names = [one.name for one in opened]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"two datasets are called {', '.join(twice)}", expected="different names", fix="give each a name"
        )
    return opened


def _open(entry: DatasetEntry, study: StudyFile, where: str) -> StudyDataset:
    dataset = read_dataset(entry.path, waive=entry.waive)
    if absent := [str(path) for case in dataset.cases for path in case.files() if not path.exists()]:
        raise DatasetError(
            f"{len(absent)} file(s) of {where} are missing", found=", ".join(absent[:3]),
            fix=f"add them, or waive: [IMAGE_MISSING, LABEL_MISSING]; see medarch check {entry.path}",
        )  # fmt: skip
    if entry.splits is not None:
        dataset = dataset.model_copy(update={"splits": load_splits(entry.splits)})
    splits = make_splits(dataset)
    folds = _folds(study, len(splits), where)
    name = entry.name or re.sub(r"[^A-Za-z0-9._-]+", "_", dataset.name)
    validated = sorted({case for fold in folds for case in splits[fold].val})
    if unlabelled := [case for case in validated if dataset.case(case).label is None]:
        raise DatasetError(
            f"{len(unlabelled)} validation case(s) of {name} have no label", found=", ".join(unlabelled[:10]),
            fix="add the labels, or leave these cases out of the splits",
        )  # fmt: skip
    return StudyDataset(name, entry, dataset, splits, folds, _patients(entry.patient, validated, where))


def _folds(study: StudyFile, count: int, where: str) -> tuple[int, ...]:
    if study.folds == "all":
        return tuple(range(count))
    chosen = tuple(range(study.folds)) if isinstance(study.folds, int) else study.folds
    if missing := [fold for fold in chosen if fold >= count]:
        raise UsageError(
            f"{where} has no fold {', '.join(map(str, missing))}",
            expected=f"0 to {count - 1}",
            found=f"folds: {study.folds}",
            fix="correct folds, or give the dataset splits with more of them",
        )
    return chosen


def _patients(pattern: str | None, cases: list[str], where: str) -> dict[str, str]:
    if pattern is None:
        return {case: case for case in cases}
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{where}.patient is no regular expression", found=f"{pattern!r}: {error}") from error
    if compiled.groups != 1:
        raise UsageError(
            f"{where}.patient must have one group",
            expected="e.g. (patient\\d+)_frame\\d+",
            found=f"{compiled.groups} groups in {pattern!r}",
            fix="put the patient, and nothing else, in parentheses",
        )
    found = {case: match[1] for case in cases if (match := compiled.search(case)) and match[1]}
    if without := [case for case in cases if case not in found]:
        raise UsageError(
            f"{where}.patient finds no patient in {len(without)} case(s)",
            expected=f"every case id to match {pattern!r}",
            found=", ".join(without[:5]),
            fix="correct the expression",
        )
    return found
