"""A dataset as it lies on disk: cases as paths, channels, labels, and splits if the user brought them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from medarch.core.classes import ClassScheme
from medarch.core.errors import DatasetError
from medarch.core.labels import LabelScheme
from medarch.core.record import Record

TaskName = Literal["segmentation", "classification", "detection", "registration", "nuclei"]


class Case(Record):
    """One case. Either one file a channel, or a single 4D file that holds all channels."""

    id: str
    images: tuple[Path, ...]
    label: Path | None = None
    classes: tuple[str, ...] | None = None
    """Classes of the whole case; None where they are not known, or where the task is another."""
    types: Path | None = None
    """Of nuclei: the type map, where types do not lie in the file of :attr:`label`."""
    patient: str | None = None
    """Whose images these are, if several cases may be of one patient."""
    landmarks: Path | None = None
    """Registration: points with names, each the same place in every case that has it."""

    def files(self) -> tuple[Path, ...]:
        """Every file of the case."""
        return self.images + tuple(path for path in (self.label, self.types) if path)


class Pair(Record):
    """Two cases to bring together: the moving one is warped onto the fixed one's grid."""

    fixed: str
    moving: str


class Split(Record):
    """Case ids of one fold."""

    train: tuple[str, ...]
    val: tuple[str, ...]


class Dataset(Record):
    """The first record of the data flow."""

    schema_version: Literal[1] = 1
    name: str
    task: TaskName = "segmentation"
    root: Path
    layout: Literal["nnunet", "msd", "manifest", "classes", "nuclei"]
    channels: tuple[str, ...]
    """Channel names in file order; the name decides the normalisation (``CT``, ``noNorm``, anything else = z-score)."""
    labels: LabelScheme
    """What label maps hold; background alone where cases have classes instead."""
    classes: ClassScheme | None = None
    """What a classification tells apart; None for other tasks."""
    mpp: float | None = None
    """Micrometres a pixel, of nuclei in pictures; None for other tasks, and for nuclei in volumes, which say it."""
    pairs: tuple[Pair, ...] | None = None
    """Registration: which cases belong together; None: any two."""
    atlas: str | None = None
    """Registration: the case that every other one is registered to; it may be trained with and tested on."""
    cases: tuple[Case, ...]
    """Cases with a label, sorted by id."""
    test_cases: tuple[Case, ...] = ()
    splits: tuple[Split, ...] | None = None
    """Folds the user brought (nnU-Net's ``splits_final.json`` or the manifest's ``fold`` column)."""
    num_training: int | None = None
    """``numTraining`` as stated in dataset.json; nnU-Net's planner reads it instead of counting."""
    waived: tuple[str, ...] = ()
    """Check codes the user waived by name, e.g. ``("GEOMETRY_MISMATCH",)``."""
    licence: str = ""

    def case(self, case_id: str) -> Case:
        """Return a case by id.

        Raises:
            DatasetError: there is no such case.
        """
        for case in self.cases + self.test_cases:
            if case.id == case_id:
                return case
        raise DatasetError(f"no case {case_id!r} in dataset {self.name}", fix="see `medarch check`")

    def content_sha256(self) -> str:
        """Hash of what the fingerprint depends on: labels, channels, and path, size and mtime of every file."""
        digest = hashlib.sha256()
        digest.update(self.labels.sha256().encode())
        digest.update(repr((self.channels, self.num_training)).encode())
        if self.classes is not None:
            digest.update((self.classes.sha256() + repr([case.classes for case in self.cases])).encode())
        if self.mpp is not None:
            digest.update(repr(self.mpp).encode())
        if self.pairs is not None or self.atlas is not None:
            digest.update(repr((self.pairs, self.atlas)).encode())
        for case in self.cases:
            digest.update(case_sha256(case).encode())
        return digest.hexdigest()


def case_sha256(case: Case) -> str:
    """Hash of a case's id and the name, size and modification time of its files (no file is read)."""
    digest = hashlib.sha256(case.id.encode())
    for path in case.files():
        stat = path.stat()
        digest.update(f"{path.name}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    return digest.hexdigest()
