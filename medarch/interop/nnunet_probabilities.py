"""A folder of predictions that nnU-Net wrote with ``--save_probabilities``."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import PredictionError
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.dataset_json import label_scheme, load_json
from medarch.io.read_geometry import read_geometry

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

    def read(self, case: str) -> np.ndarray:
        """``(classes, I, J, K)`` float32 in file order.

        Raises:
            PredictionError: the file is no such array.
        """
        try:
            with np.load(self.files[case], allow_pickle=False) as content:
                planes = content["probabilities"].astype(np.float32, copy=False)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PredictionError(
                f"cannot read {self.files[case]}",
                expected="an array `probabilities`, (classes, z, y, x)",
                found=str(error),
                fix="predict the case again",
            ) from error
        array: np.ndarray = planes.transpose(0, 3, 2, 1)
        if not self.turned:
            return array
        _, permutation, flips = self.grid(case).reoriented("RAS")
        upright: np.ndarray = np.flip(array, tuple(axis + 1 for axis, flip in enumerate(flips) if flip))
        stored: np.ndarray = upright.transpose(0, *(int(axis) + 1 for axis in np.argsort(permutation)))
        return stored
