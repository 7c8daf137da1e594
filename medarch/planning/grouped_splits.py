"""Folds of registration datasets: nobody, and no pair, is on both sides."""

from __future__ import annotations

import numpy as np

from medarch.core.dataset import Dataset, Split


def grouped_splits(dataset: Dataset, *, folds: int, seed: int) -> tuple[Split, ...]:
    """Deal groups of cases out to folds, the largest first, each to the emptiest fold.

    Cases of one patient, and cases of one listed pair, are one group. An atlas belongs to every side: it is left out
    here, and added where pairs are made.

    Args:
        dataset: of a registration.
        folds: how many at most; fewer where there are fewer groups.
        seed: of the shuffle that orders groups of one size.
    """
    groups = _groups(dataset)
    order = np.random.RandomState(seed).permutation(len(groups)).tolist()
    folds = min(folds, len(groups))
    held: list[set[str]] = [set() for _ in range(folds)]
    for index in sorted(order, key=lambda index: -len(groups[index])):
        min(held, key=len).update(groups[index])
    everything = sorted(case for group in groups for case in group)
    if folds < 2:
        return (Split(train=tuple(everything), val=tuple(everything)),)
    return tuple(
        Split(
            train=tuple(case for case in everything if case not in val),
            val=tuple(case for case in everything if case in val),
        )
        for val in held
    )


def _groups(dataset: Dataset) -> list[list[str]]:
    """Connected cases, groups and cases sorted."""
    parent = {case.id: case.id for case in dataset.cases if case.id != dataset.atlas}

    def root(case: str) -> str:
        while parent[case] != case:
            case = parent[case]
        return case

    first_of: dict[str, str] = {}
    links = [(pair.fixed, pair.moving) for pair in dataset.pairs or ()]
    links += [
        (first_of.setdefault(case.patient, case.id), case.id)
        for case in dataset.cases
        if case.patient is not None and case.id in parent
    ]
    for first, second in links:
        if first in parent and second in parent:
            parent[max(root(first), root(second))] = min(root(first), root(second))
    groups: dict[str, list[str]] = {}
    for case in sorted(parent):
        groups.setdefault(root(case), []).append(case)
    return [groups[name] for name in sorted(groups)]
