"""Methods are compared on the same cases or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from medarch.core.errors import EvaluationError
from medarch.core.study import StudyRow, StudyRun

NAMED = 5
"""Cases named in a message; the rest are counted."""

Scored = set[tuple[str, str]]


def require_equal_cases(
    dataset: str, runs: Sequence[StudyRun], rows: Sequence[StudyRow], *, methods: Sequence[str]
) -> None:
    """Refuse a dataset whose methods were not scored on the same cases and classes in each fold and seed.

    Args:
        dataset: its name, for the message.
        runs: of this dataset, all of them done.
        rows: of this dataset.
        methods: all must be there.

    Raises:
        EvaluationError: a method lacks cases or classes that another has or that its run was asked for; or a row occurs
            twice, belongs to no method of the study, or names another patient than the same case elsewhere. All
            problems are listed.
    """
    problems = [*_strangers(rows, methods), *_repeated(rows), *_patients(rows)]
    if not rows:
        problems.append("no scores at all")
    labels = {row.label for row in rows}
    scored: dict[tuple[int, int], dict[str, Scored]] = {}
    asked: dict[tuple[int, int], Scored] = {}
    for run in runs:
        asked.setdefault((run.fold, run.seed), set()).update((case, label) for case in run.cases for label in labels)
    for row in rows:
        scored.setdefault((row.fold, row.seed), {}).setdefault(row.method, set()).add((row.case, row.label))
    for fold, seed in sorted(asked.keys() | scored.keys()):
        found = scored.get((fold, seed), {})
        wanted = set.union(asked.get((fold, seed), set()), *found.values())
        for method in methods:
            lacking = wanted - found.get(method, set())
            if lacking:
                where = f"in fold {fold}, seed {seed}, {method} lacks"
                problems.append(f"{where} {_listed(lacking, cases={case for case, _ in found.get(method, set())})}")
    if problems:
        raise EvaluationError(
            f"{dataset}: the methods were not scored on the same cases",
            expected="in each fold and seed, every method with the same cases and classes, each once",
            found="; ".join(problems),
            fix="run or repair what is missing, or take the method out of the study",
        )


def _listed(lacking: Scored, *, cases: set[str]) -> str:
    """Name whole cases once, and single classes of cases that are otherwise there."""
    names = sorted({f"{case} ({label})" if case in cases else case for case, label in lacking})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)}: {', '.join(names[:NAMED])}{more}"


def _strangers(rows: Iterable[StudyRow], methods: Sequence[str]) -> list[str]:
    return [
        f"rows of {name}, which is no method of the study" for name in sorted({r.method for r in rows} - {*methods})
    ]


def _repeated(rows: Iterable[StudyRow]) -> list[str]:
    counts = Counter((row.method, row.fold, row.seed, row.case, row.label) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    return [
        f"{len(twice)} rows occur more than once, first {case} ({label}) of {method} in fold {fold}, seed {seed}"
        for method, fold, seed, case, label in twice[:1]
    ]


def _patients(rows: Iterable[StudyRow]) -> list[str]:
    patients: dict[str, set[str]] = {}
    for row in rows:
        patients.setdefault(row.case, set()).add(row.patient)
    return [f"case {c} belongs to {' and '.join(sorted(names))}" for c, names in patients.items() if len(names) > 1]
