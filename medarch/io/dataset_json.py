"""The pieces that dataset.json files and manifests share: names of channels and labels, and given splits."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medarch.core.dataset import Split
from medarch.core.errors import DatasetError
from medarch.core.labels import BACKGROUND, LabelScheme


def load_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        DatasetError: it is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"cannot read {path}", found=error.strerror or str(error), fix="check the path") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON", found=str(error), fix="correct the file at that place") from error


def dataset_name(meta: Mapping[str, Any], folder: Path) -> str:
    """Return the stated name, or the folder's, fit to be a folder name."""
    return re.sub(r"[^\w.-]+", "_", str(meta.get("name") or folder.name)).strip("._") or "dataset"


def channel_names(raw: Any, path: Path) -> tuple[str, ...]:
    """Return the names from ``{"0": "CT", "1": "PET"}`` or ``["CT", "PET"]``.

    Raises:
        DatasetError: there are none, or they are not numbered 0, 1, ...
    """
    if isinstance(raw, Mapping) and sorted(raw) == sorted(str(number) for number in range(len(raw))):
        raw = [raw[str(number)] for number in range(len(raw))]
    if not isinstance(raw, list) or not raw or not all(isinstance(name, str) for name in raw):
        raise DatasetError(
            f"{path} does not name its channels",
            expected='"channel_names": {"0": "CT"} (dataset.json), or "channels": ["CT"] (manifest)',
            found=repr(raw),
            fix="name them in file order; CT is normalised by dataset statistics, other names by z-score",
        )
    return tuple(raw)


def label_scheme(meta: Mapping[str, Any], path: Path) -> LabelScheme:
    """Return the labels from ``{"background": 0, "liver": 1}`` or MSD's ``{"0": "background", "1": "liver"}``.

    Raises:
        DatasetError: they are missing, not consecutive from 0, or regions come without ``regions_class_order``.
    """
    raw = meta.get("labels")
    if not isinstance(raw, Mapping) or not raw:
        raise DatasetError(
            f"{path} does not declare its labels",
            expected='"labels": {"background": 0, "liver": 1}',
            found=repr(raw),
            fix="add them",
        )
    if all(isinstance(name, str) for name in raw.values()):
        raw = {name: int(value) if value.isdigit() else value for value, name in raw.items()}
    # Old files call value 0 what they like.
    labels = {BACKGROUND if value == 0 else name: value for name, value in raw.items()}
    try:
        return LabelScheme.model_validate({"labels": labels, "regions_class_order": meta.get("regions_class_order")})
    except ValidationError as error:
        first = error.errors()[0]
        raise DatasetError(
            f"the labels of {path} cannot be used",
            expected=first["msg"].removeprefix("Value error, "),
            found=repr(raw),
            fix="number them 0, 1, 2 ... without a gap, in dataset.json and in the label maps",
        ) from error


def load_splits(path: Path, case_ids: Collection[str]) -> tuple[Split, ...] | None:
    """Return the folds of nnU-Net's ``splits_final.json``, or None if there is no such file.

    Raises:
        DatasetError: it is no list of train and val ids, names unknown cases, or has a case on both sides.
    """
    if not path.exists():
        return None
    raw = load_json(path)
    try:
        splits = tuple(Split.model_validate(entry) for entry in raw)
    except (ValidationError, TypeError) as error:
        raise DatasetError(
            f"{path} holds no splits",
            expected='[{"train": ["a", "b"], "val": ["c"]}, ...]',
            found=repr(raw)[:200],
            fix="correct it, or remove it for nnU-Net's five folds",
        ) from error
    for number, split in enumerate(splits):
        unknown = sorted({*split.train, *split.val} - set(case_ids))
        both = sorted(set(split.train) & set(split.val))
        if unknown or both or not split.train or not split.val:
            raise DatasetError(
                f"fold {number} of {path} does not fit the dataset",
                expected="cases of the dataset, each in train or in val, none of the two empty",
                found=f"unknown: {unknown[:5]}; in both: {both[:5]}; {len(split.train)} train, {len(split.val)} val",
                fix="correct the file",
            )
    return splits or None


def stated_count(meta: Mapping[str, Any], path: Path) -> int | None:
    """Return ``numTraining``.

    Raises:
        DatasetError: it is not a number.
    """
    raw = meta.get("numTraining")
    if raw is None:
        return None
    try:
        return int(raw)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"numTraining of {path} is no number", found=repr(raw), fix="correct it") from error
