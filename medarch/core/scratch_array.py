"""Numbers on the disk instead of in memory."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np


class ScratchArray:
    """An array in a file without a name: it is gone with the process, however that ends.

    It is written and read in runs along one axis, with all indices before that axis given and everything after it
    whole, so that each run is one piece of the file. Memory is that of the run alone: the file is not mapped.

    Args:
        folder: on whose disk; made if it is not there.
        shape: of the array; what was never written is 0.
        dtype: of its numbers.

    Raises:
        OSError: the disk is full, or the folder cannot be written (also by :meth:`write`).
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: type | np.dtype = np.float32) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(prefix=".tmp-", dir=folder)  # noqa: SIM115 - open as long as the array
        self.nbytes = math.prod(shape) * self.dtype.itemsize
        self._file.truncate(self.nbytes)

    def __enter__(self) -> ScratchArray:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, index: tuple[int, ...], start: int, run: np.ndarray) -> None:
        """Set ``array[*index, start : start + len(run)]``."""
        self._seek(index, start)
        self._file.write(np.ascontiguousarray(run, dtype=self.dtype).data)

    def write_bytes(self, start: int, content: bytes) -> None:
        """Set bytes from byte ``start`` on, of the array in C order."""
        self._file.seek(start)
        self._file.write(content)

    def read(self, index: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """Return ``array[*index, start:stop]``."""
        run = np.empty((stop - start, *self.shape[len(index) + 1 :]), dtype=self.dtype)
        self._seek(index, start)
        content = run.reshape(-1).view(np.uint8).data
        if self._file.readinto(content) != run.nbytes:  # type: ignore[attr-defined]
            raise OSError(f"a temporary file of shape {self.shape} is shorter than it was made")
        return run

    def close(self) -> None:
        """Give the disk's space back."""
        self._file.close()

    def _seek(self, index: tuple[int, ...], start: int) -> None:
        place = 0
        for size, number in zip(self.shape, (*index, start), strict=False):
            place = place * size + number
        self._file.seek(place * math.prod(self.shape[len(index) + 1 :]) * self.dtype.itemsize)
