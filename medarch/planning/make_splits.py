"""Folds for cross-validation: the user's, else nnU-Net's."""

from __future__ import annotations

import logging

import numpy as np

from medarch.core.dataset import Dataset, Split
from medarch.core.errors import DatasetError
from medarch.planning.grouped_splits import grouped_splits
from medarch.planning.stratified_splits import stratified_splits

FOLDS = 5
SEED = 12345
_log = logging.getLogger(__name__)


def make_splits(dataset: Dataset) -> tuple[Split, ...]:
    """Return the folds of a dataset.

    The user's folds if the dataset brings them. Else nnU-Net's: five parts of the shuffled, sorted case ids, equal to
    scikit-learn's ``KFold(5, shuffle=True, random_state=12345)``. Fewer than five cases give one fold a case; a single
    case is trained and validated on, which a warning says. Of a classification, folds are stratified by class and
    patients stay together; of a registration, patients and listed pairs stay together.

    Raises:
        DatasetError: there is no case, or the user's folds name unknown cases or leave a side empty.
    """
    ids = sorted(case.id for case in dataset.cases)
    if not ids:
        raise DatasetError(f"dataset {dataset.name} has no training case", fix="see `medarch check`")
    if dataset.splits is not None:
        for fold, split in enumerate(dataset.splits):
            _check(fold, split, set(ids))
        return dataset.splits
    if len(ids) == 1:
        _log.warning("%s has one case: it is trained and validated on, so its score says nothing", dataset.name)
        return (Split(train=(ids[0],), val=(ids[0],)),)
    folds = min(FOLDS, len(ids))
    if folds < FOLDS:
        _log.warning("%s has %d cases: each is the validation of one fold", dataset.name, folds)
    if dataset.task == "registration":
        found = grouped_splits(dataset, folds=folds, seed=SEED)
        if len(found) == 1:
            _log.warning("%s is one group: it is trained and validated on, so its score says nothing", dataset.name)
        return found
    if dataset.classes is not None:
        return stratified_splits(dataset.cases, dataset.classes, folds=folds, seed=SEED)
    order = np.arange(len(ids))
    np.random.RandomState(SEED).shuffle(order)
    splits = []
    for part in np.array_split(order, folds):
        val = set(part.tolist())
        splits.append(
            Split(
                train=tuple(name for index, name in enumerate(ids) if index not in val),
                val=tuple(name for index, name in enumerate(ids) if index in val),
            )
        )
    return tuple(splits)


def _check(fold: int, split: Split, known: set[str]) -> None:
    unknown = sorted({*split.train, *split.val} - known)
    if unknown or not split.train or not split.val:
        raise DatasetError(
            f"fold {fold} of the given splits is not usable",
            expected="train and val, each with cases of the dataset",
            found=f"unknown cases {', '.join(unknown[:5])}" if unknown else "no case on one side",
            fix="correct splits_final.json or the manifest's fold column, or remove it",
        )
    both = {*split.train} & {*split.val}
    if both:
        _log.warning("fold %d trains and validates on %d of the same cases: its score is too good", fold, len(both))
