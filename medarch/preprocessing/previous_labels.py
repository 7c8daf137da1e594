"""What a cascade's first stage said of each training case, on the second stage's grid, on disk."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.prepared import Box
from medarch.preprocessing.case_store import OPEN_CASES, SUFFIX
from medarch.preprocessing.tensor_file import TensorFile, read_tensors, write_tensors

LABELS = "previous"


class PreviousLabels:
    """A folder of label maps, one file a case, apart from the case store because other configurations share that.

    Args:
        folder: where the files lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._opened = lru_cache(maxsize=OPEN_CASES)(self._open)

    def __reduce__(self) -> tuple[type[PreviousLabels], tuple[Path]]:
        # Memory maps stay behind when a data loader's worker gets a copy.
        return PreviousLabels, (self.folder,)

    def write(self, case: str, labels: np.ndarray, *, made_by: str, prepared_from: str) -> None:
        """Store a case, replacing an older one atomically.

        Args:
            case: its id.
            labels: ``(N0, N1, N2)`` integers on the network's grid.
            made_by: hash of the model that predicted them.
            prepared_from: hash of the prepared case whose grid they lie on.
        """
        metadata = {"made_by": made_by, "prepared_from": prepared_from}
        tensors = {LABELS: np.ascontiguousarray(labels, dtype="<i2")}
        write_tensors(self.folder / (case + SUFFIX), tensors, metadata=metadata)
        self._opened.cache_clear()

    def origin(self, case: str) -> tuple[str, str] | None:
        """Return ``(made_by, prepared_from)``, or None where the case is not stored whole."""
        try:
            metadata = self._opened(case).metadata
            return metadata["made_by"], metadata["prepared_from"]
        except (PreprocessingError, KeyError):
            return None

    def read(self, case: str, box: Box) -> np.ndarray:
        """Return the int16 labels ``(n0, n1, n2)`` within a half-open box, as a read-only view.

        Raises:
            PreprocessingError: there is no such case, or its file is damaged.
        """
        first, second, third = (slice(*ends) for ends in box)
        view: np.ndarray = self._opened(case).tensors[LABELS][first, second, third]
        return view

    def _open(self, case: str) -> TensorFile:
        try:
            return read_tensors(self.folder / (case + SUFFIX))
        except FileNotFoundError as error:
            raise PreprocessingError(
                f"no labels of the previous stage for case {case!r} in {self.folder}", fix="train again with `medarch`"
            ) from error
