"""The training log as columns of numbers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.errors import TrainingError

if TYPE_CHECKING:
    import numpy as np

COLUMNS = (
    "epoch",
    "iteration",
    "train_loss",
    "validation_loss",
    "validation_score",
    "smoothed_score",
    "learning_rate",
    "seconds",
)


def read_training_log(path: Path) -> dict[str, np.ndarray]:
    """Read the CSV that training writes, one row an epoch.

    Returns:
        Each column as float64 ``(epochs,)``; a cell that is empty or cut off is NaN.

    Raises:
        TrainingError: the file cannot be read, has no rows, lacks a column or holds something else than numbers.
    """
    import numpy as np

    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise TrainingError(
            f"cannot read the training log {path}",
            expected="a CSV file written by medarch train",
            found=error.strerror or str(error),
            fix="check the path, or train first",
        ) from error
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise TrainingError(
            f"{path} is not a training log",
            expected="a heading line with " + ", ".join(COLUMNS) + " and at least one row",
            found="no rows" if not rows else "no column " + ", ".join(missing),
            fix="give the log.csv of a fold folder",
        )
    return {name: np.array([_number(row[name], name, path) for row in rows]) for name in COLUMNS}


def _number(cell: str | None, name: str, path: Path) -> float:
    try:
        return float(cell) if cell else float("nan")
    except ValueError as error:
        raise TrainingError(
            f"{path} is not a training log", expected=f"numbers in column {name}", found=repr(cell)
        ) from error
