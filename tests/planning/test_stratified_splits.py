"""Folds of classifications."""

import numpy as np

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case
from medarch.planning.stratified_splits import stratified_splits

TWO = ClassScheme(names=("rare", "common"))


def cases(*, count=100, rare=15, per_patient=1):
    return [
        Case(
            id=f"c{number:03d}",
            images=(),
            classes=("rare",) if number // per_patient < rare / per_patient else ("common",),
            patient=f"p{number // per_patient}" if per_patient > 1 else None,
        )
        for number in range(count)
    ]


def of(splits, made, name):
    classes = {case.id: case.classes for case in made}
    return [sum(name in classes[case] for case in split.val) for split in splits]


def test_every_case_is_validated_on_once_and_trained_on_otherwise():
    made = cases()
    splits = stratified_splits(made, TWO, folds=5, seed=1)
    assert sorted(case for split in splits for case in split.val) == [case.id for case in made]
    assert all(sorted(split.train + split.val) == [case.id for case in made] for split in splits)


def test_every_fold_has_its_share_of_each_class():
    made = cases()
    splits = stratified_splits(made, TWO, folds=5, seed=1)
    assert of(splits, made, "rare") == [3] * 5
    assert of(splits, made, "common") == [17] * 5


def test_a_patient_is_never_on_both_sides():
    made = cases(count=120, rare=30, per_patient=3)
    patient = {case.id: case.patient for case in made}
    splits = stratified_splits(made, TWO, folds=5, seed=1)
    for split in splits:
        assert not {patient[case] for case in split.train} & {patient[case] for case in split.val}
    assert of(splits, made, "rare") == [6] * 5


def test_rare_findings_are_spread_and_folds_are_of_about_one_size():
    rng = np.random.default_rng(0)
    names = ("a", "b", "c")
    frequent = rng.random((90, 3)) < (0.5, 0.1, 0.06)
    made = [
        Case(id=f"c{n:02d}", images=(), classes=tuple(x for x, own in zip(names, row, strict=True) if own))
        for n, row in enumerate(frequent)
    ]
    splits = stratified_splits(made, ClassScheme(names=names, multi_label=True), folds=5, seed=1)
    for name in names:
        held = of(splits, made, name)
        assert max(held) - min(held) <= 2
        assert min(held) >= 1 or sum(held) < 5
    sizes = [len(split.val) for split in splits]
    assert max(sizes) - min(sizes) <= 2


def test_the_folds_of_one_seed_are_always_the_same():
    assert stratified_splits(cases(), TWO, folds=5, seed=1) == stratified_splits(cases(), TWO, folds=5, seed=1)
