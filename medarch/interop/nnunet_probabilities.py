"""A folder of predictions that nnU-Net wrote with ``--save_probabilities``."""

from __future__ import annotations

import contextlib
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from medarch.core.errors import PredictionError
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.scratch_array import ScratchArray
from medarch.io.dataset_json import label_scheme, load_json
from medarch.io.read_geometry import read_geometry
from medarch.io.volume_planes import VolumePlanes

READERS = {"SimpleITKIO": False, "NibabelIO": False, "NibabelIOWithReorient": True, "SimpleITKIOWithReorient": True}
"""nnU-Net's readers of volumes, and whether their arrays are turned to RAS."""


@dataclass(frozen=True)
class NnunetProbabilities:
    """``CASE.npz`` beside ``CASE.nii.gz``. The pickles there are not opened: the label map says where a case lies."""

    name: str
    labels: LabelScheme
    label_maps: Mapping[str, Path]
    files: Mapping[str, Path]
    identity: str
    turned: bool

    @classmethod
    def find(cls, folder: Path) -> NnunetProbabilities:
        """Read what lies beside the arrays.

        Raises:
            PredictionError: label maps are missing, or nnU-Net's reader is not known.
            DatasetError: dataset.json or plans.json are missing or damaged.
        """
        meta = load_json(folder / "dataset.json")
        reader = load_json(folder / "plans.json").get("image_reader_writer")
        if reader not in READERS:
            raise PredictionError(
                f"probabilities of nnU-Net's reader {reader} cannot be read",
                expected=", ".join(READERS),
                found=str(folder / "plans.json"),
                fix="predict with medarch: import the model",
            )
        files = {path.stem: path for path in sorted(folder.glob("*.npz"))}
        maps = {case: folder / f"{case}{meta['file_ending']}" for case in files}
        if absent := [case for case, path in maps.items() if not path.exists()]:
            raise PredictionError(
                f"{folder} has probabilities without label maps",
                expected=f"CASE{meta['file_ending']} beside CASE.npz",
                found=f"none for {', '.join(absent[:5])}",
                fix="copy the whole folder",
            )
        labels = label_scheme(meta, folder / "dataset.json")
        return cls(str(folder), labels, maps, files, str(folder.absolute()), READERS[reader])

    def grid(self, case: str) -> Geometry:
        """The grid of a case, from its label map's header."""
        return read_geometry(self.label_maps[case])[0]

    @contextlib.contextmanager
    def open(self, case: str, *, scratch: Path) -> Iterator[VolumePlanes]:
        """``(classes, I, J, K)`` in file order; unpacked class by class into a file without a name in ``scratch``.

        Raises:
            PredictionError: the file is no such array.
            OSError: the disk is full.
        """
        path = self.files[case]
        with contextlib.ExitStack() as files:
            try:
                archive = files.enter_context(zipfile.ZipFile(path))
                stream = files.enter_context(archive.open("probabilities.npy"))
                header = _array_header(stream)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                raise _unreadable(path, str(error)) from error
            i, j, k = self.grid(case).shape
            stored = files.enter_context(ScratchArray(scratch, (header.shape[0], k, j, i)))
            for number, volume in enumerate(_volumes(stream, header, path)):
                turned = self._in_file_order(volume, case)
                if turned.shape != (i, j, k):
                    raise _unreadable(path, f"probabilities of a grid {turned.shape}, a label map of {(i, j, k)}")
                stored.write((number,), 0, turned.transpose(2, 1, 0))
            yield _StoredPlanes(stored)

    def _in_file_order(self, volume: np.ndarray, case: str) -> np.ndarray:
        """``(z, y, x)`` as the reader had it, to ``(I, J, K)``."""
        array: np.ndarray = volume.transpose(2, 1, 0)
        if not self.turned:
            return array
        _, permutation, flips = self.grid(case).reoriented("RAS")
        upright = np.flip(array, tuple(axis for axis, flip in enumerate(flips) if flip))
        return upright.transpose(*(int(axis) for axis in np.argsort(permutation)))


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool


def _array_header(stream: IO[bytes]) -> _Header:
    """What numpy writes before an array; pickled objects are refused."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.kind != "f" or len(shape) != 4:
        raise ValueError(f"{len(shape)} axes of {dtype}")
    return _Header(shape, dtype, fortran)


def _volumes(stream: IO[bytes], header: _Header, path: Path) -> Iterator[np.ndarray]:
    """Class by class; only an array in Fortran's order, which nnU-Net does not write, is held as a whole."""
    counts = (1, header.shape[0]) if not header.fortran else (header.shape[0], 1)
    size = math.prod(header.shape[1:]) * header.dtype.itemsize * counts[0]
    for _ in range(counts[1]):
        try:
            content = stream.read(size)  # the last one checks the sum of all bytes
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise _unreadable(path, str(error)) from error
        if len(content) != size:
            raise _unreadable(path, "it ends too early")
        array = np.frombuffer(content, dtype=header.dtype)
        if header.fortran:
            yield from array.reshape(header.shape, order="F")
        else:
            yield array.reshape(header.shape[1:])
    if stream.read(1):
        raise _unreadable(path, "more bytes than its array has")


class _StoredPlanes:
    def __init__(self, values: ScratchArray) -> None:
        self._values = values

    @property
    def shape(self) -> tuple[int, int, int, int]:
        channels, k, j, i = self._values.shape
        return (channels, i, j, k)

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        wanted = range(self._values.shape[0])[channels]
        return np.stack([self._values.read((channel,), low, high) for channel in wanted]).transpose(0, 3, 2, 1)


def _unreadable(path: Path, found: str) -> PredictionError:
    return PredictionError(
        f"cannot read {path}",
        expected="an array `probabilities`, (classes, z, y, x)",
        found=found,
        fix="predict the case again",
    )
