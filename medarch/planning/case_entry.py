"""What the fingerprint keeps of a case between runs: a small file that makes reading the case again needless."""

from __future__ import annotations

import hashlib
import logging
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from medarch.core.errors import RecordError
from medarch.core.files import atomic_path
from medarch.core.fingerprint import CaseFingerprint
from medarch.core.record import Record

_log = logging.getLogger(__name__)


class CaseRecord(Record):
    """Where the kept intensities come from, and which draws they can answer."""

    schema_version: Literal[2] = 2
    fingerprint: CaseFingerprint
    files_sha256: str
    """Names, sizes and modification times of the case's files when they were last known to be these."""
    recipe_sha256: str
    """What the reading depended on besides the files."""
    draws: int
    """Draws a channel that the intensities were kept for."""
    foreground: int
    """Foreground voxels of the case."""


@dataclass(frozen=True)
class CaseEntry:
    """A case's record and the intensities of its foreground voxels, those that no draw reaches left out."""

    record: CaseRecord
    intensities: np.ndarray
    """``(C, voxels)`` in reader order z, y, x; int16 where that is exact, else float32."""

    @property
    def is_whole(self) -> bool:
        """Whether every foreground voxel is there, so that any number of draws can be answered."""
        return bool(self.intensities.shape[1] == self.record.foreground)


def entry_path(folder: Path, case_id: str) -> Path:
    """Return the file of a case: its id, made safe, and a hash because two ids may become one name."""
    safe = re.sub(r"[^\w.-]", "_", case_id)[:100]
    return folder / f"{safe}-{hashlib.sha256(case_id.encode()).hexdigest()[:8]}.npz"


def read_entry(path: Path) -> CaseEntry | None:
    """Return the entry, or None when there is none that this version can use."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return CaseEntry(CaseRecord.parse(bytes(stored["record"]).decode()), stored["intensities"])
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, RecordError) as error:
        _log.warning("%s is not usable and will be written anew: %s", path, error)
        return None


def write_entry(path: Path, entry: CaseEntry) -> None:
    """Write atomically, so that a killed run leaves whole entries only."""
    record = np.frombuffer(entry.record.model_dump_json().encode(), dtype=np.uint8)
    with atomic_path(path) as temporary:
        np.savez(temporary, record=record, intensities=entry.intensities)


def compact(intensities: np.ndarray) -> np.ndarray:
    """Return the same numbers as int16 if that loses nothing."""
    limits = np.iinfo(np.int16)
    if intensities.size and limits.min <= intensities.min() and intensities.max() <= limits.max:
        whole = intensities.astype(np.int16)
        if np.array_equal(whole, intensities):
            return whole
    return intensities
