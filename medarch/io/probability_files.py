"""Class probabilities of many cases, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume


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

    def read(self, case: str) -> np.ndarray:
        """``(classes, I, J, K)`` float32 in file order."""


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

    def read(self, case: str) -> np.ndarray:
        """``(classes, I, J, K)`` float32 in file order."""
        return read_volume(self.files[case]).array
