"""What became of each case, on disk after each case, so that a killed run can go on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from medarch.core.errors import PredictionError
from medarch.core.prediction import CasePrediction

LEDGER = "ledger.jsonl"


class Ledger:
    """``ledger.jsonl`` in the output folder: one line of settings, then one line a case.

    Lines are only ever added and synced; a line cut short by a kill is passed over.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / LEDGER
        self.settings = json.loads(json.dumps(settings))

    def open(self, *, restart: bool) -> dict[str, CasePrediction]:
        """Return the cases that are done and whose outputs are still what was written.

        Raises:
            PredictionError: the folder holds the output of another model or other settings.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if restart or not self.path.exists():
            self._start()
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        header = _parse(lines[0]) if lines else None
        if header is None:
            self._start()
            return {}
        if header != self.settings:
            changed = sorted(key for key in header | self.settings if header.get(key) != self.settings.get(key))
            raise PredictionError(
                f"{self.path.parent} holds predictions made otherwise",
                expected=", ".join(f"{key}={self.settings.get(key)}" for key in changed),
                found=", ".join(f"{key}={header.get(key)}" for key in changed),
                fix="choose another output folder, or add --restart to predict every case again",
            )
        if not self.path.read_bytes().endswith(b"\n"):
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write("\n")
        rows = [CasePrediction.model_validate(row) for row in map(_parse, lines[1:]) if row is not None]
        return {row.case: row for row in rows if row.status == "done" and _unchanged(row)}

    def add(self, row: CasePrediction) -> None:
        """Append a line and wait until it is on disk."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(row.model_dump_json() + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _start(self) -> None:
        with self.path.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(self.settings) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def recorded_settings(folder: Path) -> dict[str, Any] | None:
    """Return the settings an output folder was begun with; None if it was not, or if they cannot be read."""
    try:
        with (folder / LEDGER).open(encoding="utf-8") as stream:
            settings = _parse(stream.readline())
    except (OSError, UnicodeDecodeError):
        return None
    return settings if isinstance(settings, dict) else None


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def _unchanged(row: CasePrediction) -> bool:
    if row.output is None:  # a judgement without a picture stands in the ledger itself
        return bool(row.class_probabilities)
    return row.output.exists() and file_sha256(row.output) == row.output_sha256
