"""Folds in which every class is as common as in the whole, and no patient is on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case, Split


def stratified_splits(cases: Sequence[Case], classes: ClassScheme, *, folds: int, seed: int) -> tuple[Split, ...]:
    """Deal patients out to folds, those with the most unevenly spread classes first, each to where it evens out most.

    The greedy rule of scikit-learn's ``StratifiedGroupKFold``, which here also takes any number of findings a case.

    Args:
        cases: each with classes; a case without a patient is its own.
        classes: all classes.
        folds: how many; at least as many patients are needed.
        seed: of the shuffle that breaks ties.
    """
    patients = sorted({_patient(case) for case in cases})
    row = {patient: index for index, patient in enumerate(patients)}
    counts = np.zeros((len(patients), len(classes.names) + 1))
    for case in cases:
        # The last column counts cases, so that folds are of one size even where findings are rare.
        counts[row[_patient(case)]] += (*classes.indicator(case.classes or ()), 1)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(patients))
    order = order[np.argsort(-shares[order].std(axis=1), kind="stable")]
    held = np.zeros((folds, counts.shape[1]))
    fold_of = np.zeros(len(patients), dtype=int)
    for patient in order:
        fold_of[patient] = _most_even(held, shares[patient])
        held[fold_of[patient]] += shares[patient]
    return tuple(
        Split(
            train=tuple(sorted(case.id for case in cases if fold_of[row[_patient(case)]] != fold)),
            val=tuple(sorted(case.id for case in cases if fold_of[row[_patient(case)]] == fold)),
        )
        for fold in range(folds)
    )


def _patient(case: Case) -> str:
    # A case id may be some patient's name, too.
    return f"case {case.id}" if case.patient is None else f"patient {case.patient}"


def _most_even(held: np.ndarray, share: np.ndarray) -> int:
    """The fold that leaves the shares of the folds least spread; of equal ones the emptiest."""
    spreads = []
    for fold in range(len(held)):
        after = held.copy()
        after[fold] += share
        spreads.append((round(float(after.std(axis=0).mean()), 12), round(float(held[fold].sum()), 12), fold))
    return min(spreads)[2]
