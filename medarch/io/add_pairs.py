"""What a registration dataset has beside its images: pairs, an atlas, patients, landmarks."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medarch.core.dataset import Case, Dataset, Pair
from medarch.core.errors import DatasetError
from medarch.core.labels import BACKGROUND, LabelScheme

PAIRS = "pairs.csv"
PATIENTS = "patients.csv"
LANDMARK_FOLDERS = ("landmarksTr", "landmarksTs", "landmarks")
LANDMARK_SUFFIXES = (".csv", ".fcsv")


def add_pairs(dataset: Dataset, meta: Mapping[str, Any]) -> Dataset:
    """Return a dataset of images, read in any layout, as one of pairs to register.

    Beside dataset.json may lie ``pairs.csv`` with the columns ``fixed`` and ``moving`` (cases; without the file any two
    cases are a pair), ``patients.csv`` with ``case`` and ``patient`` (a patient's cases stay on one side of a split),
    and ``landmarksTr/CASE.csv`` or ``.fcsv``. The key ``"atlas": "CASE"`` of dataset.json names the case that all
    others are registered to. Label maps may be missing: of all cases, or of some.

    Raises:
        DatasetError: a table cannot be read, or names an unknown case.
    """
    patients = _patients(dataset.root / PATIENTS)
    labelled = dataset.labels.foreground_values != ()

    def completed(case: Case) -> Case:
        label = case.label if labelled and case.label is not None and case.label.exists() else None
        landmarks = _landmarks(dataset.root, case.id)
        return case.model_copy(
            update={"label": label, "landmarks": landmarks, "patient": patients.get(case.id, case.patient)}
        )

    cases = tuple(completed(case) for case in dataset.cases)
    tests = tuple(completed(case) for case in dataset.test_cases)
    known = {case.id for case in (*cases, *tests)}
    pairs = _pairs(dataset.root / PAIRS, known)
    atlas = meta.get("atlas")
    if atlas is not None and (not isinstance(atlas, str) or atlas not in {case.id for case in cases}):
        raise DatasetError(
            f"the atlas of {dataset.name} is none of its training cases",
            expected='"atlas": "CASE"',
            found=repr(atlas),
            fix="correct the key `atlas` of dataset.json",
        )
    if atlas is not None and pairs is not None:
        raise DatasetError(
            f"{dataset.name} has an atlas and a list of pairs",
            expected=f"the key `atlas`, or {PAIRS}",
            found="both",
            fix="take one away",
        )
    labels = dataset.labels
    if labels.has_regions:  # that overlap; what moves is the map's values
        labels = LabelScheme(labels={BACKGROUND: 0, **{f"label {value}": value for value in labels.values[1:]}})
    return dataset.model_copy(
        update={
            "task": "registration",
            "labels": labels,
            "cases": cases,
            "test_cases": tests,
            "pairs": pairs,
            "atlas": atlas,
        }
    )


def without_labels() -> LabelScheme:
    """What a dataset declares that has no label maps."""
    return LabelScheme(labels={BACKGROUND: 0})


def _pairs(path: Path, known: set[str]) -> tuple[Pair, ...] | None:
    if not path.is_file():
        return None
    rows = _rows(path, ("fixed", "moving"))
    pairs = tuple(dict.fromkeys((row["fixed"], row["moving"]) for row in rows))
    wrong = [pair for pair in pairs if not set(pair) <= known or pair[0] == pair[1]]
    if wrong or not pairs:
        raise DatasetError(
            f"the pairs of {path} cannot be used",
            expected="two different cases of the dataset in each row",
            found=", ".join(f"{fixed} and {moving}" for fixed, moving in wrong[:5]) or "no rows",
            fix="correct the table",
        )
    return tuple(Pair(fixed=fixed, moving=moving) for fixed, moving in pairs)


def _patients(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {row["case"]: row["patient"] for row in _rows(path, ("case", "patient")) if row["patient"]}


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}", found=str(error), fix="check the path; save it as UTF-8") from error
    rows = list(csv.DictReader(text, restkey=""))
    found = [{str(key).strip(): str(value or "").strip() for key, value in row.items()} for row in rows]
    if any(not set(columns) <= set(row) for row in found):
        raise DatasetError(
            f"the table {path} cannot be read",
            expected=f"columns {', '.join(columns)}",
            found=text[0] if text else "nothing",
            fix="correct its first line",
        )
    return found


def _landmarks(root: Path, case: str) -> Path | None:
    places = (root / folder / f"{case}{suffix}" for folder in LANDMARK_FOLDERS for suffix in LANDMARK_SUFFIXES)
    return next((place for place in places if place.is_file()), None)
