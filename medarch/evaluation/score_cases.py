"""The rows of one dataset as arrays, foreground included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.comparison import HIGHER_IS_BETTER
from medarch.core.study import StudyRow
from medarch.evaluation.mean_of_defined import mean_of_defined
from medarch.evaluation.summarise import FOREGROUND


@dataclass(frozen=True)
class CaseTable:
    """Every score of one dataset; NaN where a run has no such case or a measure is undefined."""

    methods: tuple[str, ...]
    cases: tuple[str, ...]
    """Sorted."""
    patients: tuple[str, ...]
    """Of each case."""
    labels: tuple[str, ...]
    """``foreground`` first."""
    runs: tuple[tuple[int, int], ...]
    """Fold and seed."""
    values: dict[str, np.ndarray]
    """Measure → ``(methods, labels, runs, cases)``."""

    def case_scores(self, measure: str) -> np.ndarray:
        """Return the mean over the runs that predicted the case, ``(methods, labels, cases)``."""
        return mean_of_defined(self.values[measure], axis=2)

    def foreground(self, measure: str) -> np.ndarray:
        """Return the case scores of ``foreground``, ``(methods, cases)``."""
        return self.case_scores(measure)[:, self.labels.index(FOREGROUND)]


def score_cases(rows: Sequence[StudyRow], *, methods: Sequence[str]) -> CaseTable:
    """Return the scores of one dataset.

    ``foreground`` is the mean over the defined classes of a case within a run (policy ``medarch`` of
    :func:`medarch.evaluation.summarise.summarise`), because paired comparison needs one score a case.
    """
    patient_of = {row.case: row.patient or row.case for row in rows}  # of an unknown patient a case stands for itself
    cases = tuple(sorted(patient_of))
    labels = tuple(dict.fromkeys(row.label for row in rows))
    runs = tuple(sorted({(row.fold, row.seed) for row in rows}))
    places = [{key: index for index, key in enumerate(axis)} for axis in (methods, labels, runs, cases)]
    values = {measure: np.full([len(axis) for axis in places], np.nan) for measure in HIGHER_IS_BETTER}
    for row in rows:
        keys = (row.method, row.label, (row.fold, row.seed), row.case)
        place = tuple(axis[key] for axis, key in zip(places, keys, strict=True))  # type: ignore[index]
        for measure, array in values.items():
            value = row.values.get(measure)
            if value is not None:
                array[place] = value
    return CaseTable(
        methods=tuple(methods),
        cases=cases,
        patients=tuple(patient_of[case] for case in cases),
        labels=(FOREGROUND, *labels),
        runs=runs,
        values={
            measure: np.concatenate([mean_of_defined(array, axis=1)[:, np.newaxis], array], axis=1)
            for measure, array in values.items()
        },
    )
