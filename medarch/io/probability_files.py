"""Class probabilities of many cases, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.open_planes import open_planes
from medarch.io.read_geometry import read_geometry
from medarch.io.volume_planes import VolumePlanes


class ProbabilitySource(Protocol):
    """One member of an ensemble."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def labels(self) -> LabelScheme:
        """What the channels mean."""

    @property
    def label_maps(self) -> Mapping[str, Path]:
        """The label map that was decided from them, by case."""

    @property
    def identity(self) -> str:
        """Another text when the content is of another model."""

    def grid(self, case: str) -> Geometry:
        """The grid of a case, from its header."""

    def open(self, case: str, *, scratch: Path) -> AbstractContextManager[VolumePlanes]:
        """``(classes, I, J, K)`` in file order; they may lie unpacked in ``scratch`` meanwhile."""


@dataclass(frozen=True)
class ProbabilityFiles:
    """Volumes of one channel a class, as ``medarch predict --probabilities`` writes them."""

    name: str
    labels: LabelScheme
    label_maps: Mapping[str, Path]
    files: Mapping[str, Path]
    identity: str

    def grid(self, case: str) -> Geometry:
        """The grid of a case, from its header."""
        return read_geometry(self.files[case])[0]

    def open(self, case: str, *, scratch: Path) -> AbstractContextManager[VolumePlanes]:
        """``(classes, I, J, K)`` in file order, see :func:`~medarch.io.open_planes.open_planes`."""
        return open_planes(self.files[case], scratch=scratch)
