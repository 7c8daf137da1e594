"""Prepared cases on disk: one file a case, written whole or not at all, read in parts without copying."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.geometry import Triple
from medarch.core.prepared import Box, PreparedCase
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.tensor_file import TensorFile, read_tensors, verify_tensors, write_tensors

SUFFIX = ".safetensors"
OPEN_CASES = 1024
"""Files kept mapped at a time; Linux allows a process 65,530 maps."""


class CaseStore:
    """A folder of prepared cases.

    Each file holds the tensors ``image``, ``label`` and ``locations.VALUE``, and the :class:`PreparedCase` in its
    metadata. A file is mapped into memory once; patches are read-only views of it that touch only their own pages.

    Args:
        folder: where the files lie; made by the first :meth:`write`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._opened = lru_cache(maxsize=OPEN_CASES)(self._open)

    def __reduce__(self) -> tuple[type[CaseStore], tuple[Path]]:
        # Memory maps stay behind when a data loader's worker gets a copy.
        return CaseStore, (self.folder,)

    def path(self, case: str) -> Path:
        """Return where a case is, or would be, stored."""
        return self.folder / (case + SUFFIX)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all stored cases, sorted."""
        names = (path.name for path in self.folder.glob("*" + SUFFIX))
        return tuple(sorted(name.removesuffix(SUFFIX) for name in names if not name.startswith(".")))

    def write(self, arrays: PreparedArrays, locations: Mapping[int, np.ndarray], *, source_stamp: str = "") -> None:
        """Store a case, replacing an older one atomically.

        Args:
            arrays: what :func:`prepare_case` gave.
            locations: ``(n, 3)`` voxels by label value, see :func:`sample_locations`.
            source_stamp: any text by which to see cheaply that the source is unchanged.
        """
        tensors = {"image": np.ascontiguousarray(arrays.image, dtype="<f4")}
        for value, voxels in locations.items():
            tensors[f"locations.{value}"] = np.ascontiguousarray(voxels, dtype="<i4")
        if arrays.label is not None:
            tensors["label"] = np.ascontiguousarray(arrays.label, dtype="<i2")
        metadata = {"record": arrays.record.model_dump_json(), "source_stamp": source_stamp}
        write_tensors(self.path(arrays.record.id), tensors, metadata=metadata)
        self._opened.cache_clear()

    def record(self, case: str) -> PreparedCase:
        """Return how the case was prepared."""
        return PreparedCase.parse(self._opened(case).metadata["record"], source=str(self.path(case)))

    def source_stamp(self, case: str) -> str:
        """Return the text given to :meth:`write`."""
        return self._opened(case).metadata["source_stamp"]

    def shape(self, case: str) -> Triple:
        """Return the shape ``(N0, N1, N2)`` of the case's grid."""
        _, first, second, third = self._opened(case).tensors["image"].shape
        return first, second, third

    def read_image(self, case: str, box: Box | None = None) -> np.ndarray:
        """Return ``(C, n0, n1, n2)`` float32 within a half-open box (default the whole case), as a read-only view.

        Raises:
            PreprocessingError: there is no such case, its file is damaged, or the box leaves it.
        """
        image = self._opened(case).tensors["image"]
        return image if box is None else image[(slice(None), *_slices(case, image.shape[1:], box))]

    def read_label(self, case: str, box: Box | None = None) -> np.ndarray:
        """Return the int16 label map ``(n0, n1, n2)`` within a box, as a read-only view.

        Raises:
            PreprocessingError: as for images, or the case has no label.
        """
        label = self._opened(case).tensors.get("label")
        if label is None:
            raise PreprocessingError(
                f"case {case} was prepared without a label", fix="add its label map to the dataset and prepare again"
            )
        return label if box is None else label[_slices(case, label.shape, box)]

    def locations(self, case: str) -> dict[int, np.ndarray]:
        """Return ``(n, 3)`` int32 voxels by label value, on which to centre patches that must hold foreground."""
        prefix = "locations."
        tensors = self._opened(case).tensors
        return {int(name.removeprefix(prefix)): tensors[name] for name in tensors if name.startswith(prefix)}

    def verify(self, case: str) -> None:
        """Read the whole case and compare it with its checksum.

        Raises:
            PreprocessingError: the file changed since it was written.
        """
        verify_tensors(self.path(case))

    def _open(self, case: str) -> TensorFile:
        try:
            return read_tensors(self.path(case))
        except FileNotFoundError as error:
            raise PreprocessingError(
                f"no prepared case {case!r} in {self.folder}", fix="prepare its dataset again"
            ) from error


def _slices(case: str, shape: tuple[int, ...], box: Box) -> tuple[slice, ...]:
    for (start, stop), size in zip(box, shape, strict=True):
        if not 0 <= start <= stop <= size:
            raise PreprocessingError(
                f"a box leaves case {case}",
                expected=f"half-open ranges within {shape}",
                found=str(box),
                fix="clip the box to the case and pad what is missing",
            )
    return tuple(slice(start, stop) for start, stop in box)
