"""The table of a classification dataset: which case has which class."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medarch.core.errors import DatasetError

Part = Literal["train", "val", "test"]
ABOUT_THE_CASE = ("case", "label", "image", "split", "fold", "patient")
_FORM = "columns case and label, or case and one column of 0 and 1 a finding; as needed split, fold, patient, image"


@dataclass(frozen=True)
class ClassRow:
    """One case."""

    case: str
    classes: tuple[str, ...] | None
    """None for a test case without a label."""
    part: Part = "train"
    fold: int | None = None
    patient: str | None = None
    images: tuple[Path, ...] = ()
    """Given in the table, or empty."""


@dataclass(frozen=True)
class ClassTable:
    """All rows, and what they tell apart."""

    rows: tuple[ClassRow, ...]
    columns: tuple[str, ...]
    """Classes in the alphabet's order, or findings in that of the columns."""
    multi_label: bool


def read_class_table(path: Path) -> ClassTable:
    """Read ``labels.csv``: a column ``case`` and ``label``, or a column a finding that holds 0 or 1.

    ``split`` is ``train`` (also when empty), ``val`` or ``test``; ``fold`` says which fold validates on the case;
    ``patient`` keeps cases of one patient together; ``image`` is a path from the table's folder, where the image is not
    in the folder ``images``.

    Raises:
        DatasetError: columns are missing, a label is, or a case occurs twice.
    """
    lines = _read(path)
    findings = tuple(name for name in lines[0] if name not in ABOUT_THE_CASE)
    if "case" not in lines[0] or ("label" in lines[0]) == bool(findings):
        raise _unreadable(path, f"columns {', '.join(lines[0])}")
    rows = tuple(_row(line, findings, path) for line in lines)
    doubled = [case for case, count in Counter(row.case for row in rows).items() if count > 1]
    if doubled:
        raise _unreadable(path, f"cases that occur twice: {doubled[:5]}")
    names = findings or tuple(sorted({name for row in rows for name in row.classes or ()}))
    return ClassTable(rows, names, multi_label=bool(findings))


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}", found=str(error), fix="check the path; save it as UTF-8") from error
    delimiter = ";" if text and text[0].count(";") > text[0].count(",") else ","
    rows = list(csv.DictReader(text, delimiter=delimiter, restkey=""))
    if not rows:
        raise _unreadable(path, "no rows")
    return [{key.strip(): str(value or "").strip() for key, value in row.items()} for row in rows]


def _row(line: Mapping[str, str], findings: tuple[str, ...], path: Path) -> ClassRow:
    case, part, fold = line["case"], line.get("split", "").lower() or "train", line.get("fold", "")
    if not case or Path(case).name != case:
        raise _unreadable(path, f"case {case!r}, which cannot be a file name")
    if part not in ("train", "val", "test"):
        raise _unreadable(path, f"case {case}: split {part!r} is none of train, val, test")
    if fold and not fold.isdigit():
        raise _unreadable(path, f"case {case}: fold {fold!r} is no number from 0")
    classes = _classes(line, findings)
    if classes is None and part != "test":
        raise _unreadable(path, f"case {case} without a label (findings are 0 or 1)")
    return ClassRow(
        case=case,
        classes=classes,
        part=part,  # type: ignore[arg-type]
        fold=int(fold) if fold else None,
        patient=line.get("patient") or None,
        images=(path.parent / line["image"],) if line.get("image") else (),
    )


def _classes(line: Mapping[str, str], findings: tuple[str, ...]) -> tuple[str, ...] | None:
    if not findings:
        return (line["label"],) if line["label"] else None
    if any(line[name] not in ("0", "1") for name in findings):
        return None
    return tuple(name for name in findings if line[name] == "1")


def _unreadable(path: Path, found: str) -> DatasetError:
    return DatasetError(f"the table {path} cannot be read", expected=_FORM, found=found, fix="correct the table")
