"""Lists of cases as people write them, a .csv or .json file of paths."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medarch.core.dataset import Case
from medarch.core.errors import DatasetError
from medarch.io.dataset_json import load_json

_PREFIX = "image_"
_FORM = "columns (or keys of `cases`) id, image or image_<channel>, and as needed label, fold, split"


@dataclass(frozen=True)
class ManifestRow:
    """One case of a manifest, its paths made absolute."""

    case: Case
    fold: int | None
    """The fold that validates on this case; None for a case that every fold trains on."""
    part: Literal["train", "test"]


@dataclass(frozen=True)
class Manifest:
    """A manifest's content."""

    rows: tuple[ManifestRow, ...]
    meta: Mapping[str, Any]
    """The keys beside ``cases`` in JSON; of a CSV file, the content of ``NAME.json`` beside it, if there is one."""
    channels: tuple[str, ...]
    """Channel names by the columns ``image_<channel>``; empty with a single column ``image``."""


def read_manifest_rows(path: Path) -> Manifest:
    """Read a manifest. Relative paths start at its folder.

    Raises:
        DatasetError: columns are missing or contradict each other, or an id occurs twice.
    """
    if path.suffix.lower() == ".csv":
        entries = _csv_entries(path)
        sidecar = path.with_suffix(".json")
        meta = load_json(sidecar) if sidecar.exists() else {}
    else:
        content = load_json(path)
        meta, entries = ({}, content) if isinstance(content, list) else (content, content.get("cases"))
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise _unreadable(path, f"no cases in {path.name}")
    channels = _channel_columns(entries[0], meta.get("channels"), path)
    rows = tuple(_row(entry, channels, number, path) for number, entry in enumerate(entries, start=1))
    doubled = [case_id for case_id, count in Counter(row.case.id for row in rows).items() if count > 1]
    if doubled:
        raise _unreadable(path, f"ids that occur twice: {doubled[:5]}")
    return Manifest(rows, meta, channels)


def _unreadable(path: Path, found: str) -> DatasetError:
    return DatasetError(f"the manifest {path} cannot be read", expected=_FORM, found=found, fix="correct the manifest")


def _csv_entries(path: Path) -> list[dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}", found=str(error), fix="check the path; save it as UTF-8") from error
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    rows = csv.DictReader(lines, delimiter=delimiter, restkey="")
    return [{key.strip(): str(value or "").strip() for key, value in row.items()} for row in rows]


def _channel_columns(entry: Mapping[str, Any], named: Any, path: Path) -> tuple[str, ...]:
    columns = tuple(key.removeprefix(_PREFIX) for key in entry if key.startswith(_PREFIX))
    if ("image" in entry) == bool(columns):
        raise _unreadable(path, f"{sorted(entry)}: either `image` or `image_<channel>` is needed")
    if columns and isinstance(named, list):
        if sorted(named) != sorted(columns):
            raise _unreadable(path, f"channels {named}, but columns {[_PREFIX + name for name in columns]}")
        return tuple(named)
    return columns


def _row(entry: Mapping[str, Any], channels: tuple[str, ...], number: int, path: Path) -> ManifestRow:
    def text(key: str) -> str:
        value = entry.get(key)
        return "" if value is None else str(value)

    keys = [_PREFIX + name for name in channels] or ["image"]
    empty = [key for key in ("id", *keys) if not text(key)]
    if empty:
        raise _unreadable(path, f"case {number} has no {', '.join(empty)}")
    if Path(text("id")).name != text("id"):
        raise _unreadable(path, f"case {number}: id {text('id')!r} cannot be a file name")
    if text("fold") and not text("fold").isdigit():
        raise _unreadable(path, f"case {text('id')}: fold {text('fold')!r} is no number from 0")
    part = text("split").lower() or "train"
    if part not in ("train", "test"):
        raise _unreadable(path, f"case {text('id')}: split {text('split')!r} is neither train nor test")
    label = path.parent / text("label") if text("label") else None
    case = Case(id=text("id"), images=tuple(path.parent / text(key) for key in keys), label=label)
    return ManifestRow(case, int(text("fold")) if text("fold") else None, "test" if part == "test" else "train")
