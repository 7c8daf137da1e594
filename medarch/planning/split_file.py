"""Folds on disk, in nnU-Net's ``splits_final.json`` form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from medarch.core.dataset import Split
from medarch.core.errors import DatasetError
from medarch.core.files import write_text

_FOLDS = TypeAdapter(tuple[Split, ...])


def save_splits(splits: Sequence[Split], path: Path | str) -> None:
    """Write ``[{"train": [...], "val": [...]}, ...]``, atomically."""
    write_text(path, json.dumps([split.model_dump(mode="json") for split in splits], indent=4) + "\n")


def load_splits(path: Path | str) -> tuple[Split, ...]:
    """Read folds.

    Raises:
        DatasetError: the file is missing or is not a list of ``{"train": [...], "val": [...]}``.
    """
    try:
        return _FOLDS.validate_json(Path(path).read_bytes())
    except (OSError, ValidationError) as error:
        raise DatasetError(
            f"cannot read the splits {path}",
            expected='a list of {"train": [case ids], "val": [case ids]}',
            found=(error.strerror or str(error)) if isinstance(error, OSError) else error.errors()[0]["msg"],
            fix="correct or delete the file",
        ) from error
