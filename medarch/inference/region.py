"""Which part of a case is wanted; the rest is background and its tiles are not computed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, PredictionError
from medarch.inference.ledger import file_sha256
from medarch.io.read_case import CaseVolumes
from medarch.io.read_volume import read_volume
from medarch.preprocessing.body_mask import body_mask


@dataclass(frozen=True)
class Region:
    """The body, or what masks say. Inside, labels are exactly those of the whole case; outside they are 0."""

    masks: Mapping[str, Path] | None = None
    """A file a case, not 0 where labels are wanted; None for the body."""

    def __str__(self) -> str:
        if self.masks is None:
            return "body"
        digest = hashlib.sha256()
        for case, path in sorted(self.masks.items()):
            digest.update(f"{case} {file_sha256(path)}\n".encode())
        return f"masks {digest.hexdigest()[:16]}"

    def of(self, case: str, volumes: CaseVolumes) -> np.ndarray:
        """Return ``(I, J, K)`` bool on the grid of the case's files.

        Raises:
            PredictionError: the case has no mask.
            GeometryError: its mask lies on another grid.
            VolumeError: its mask is damaged.
        """
        if self.masks is None:
            return body_mask(volumes.images[0], volumes.geometry.spacing_mm)
        if case not in self.masks:
            raise PredictionError(
                f"no region of interest for case {case}",
                expected=f"a file named {case} with any image suffix",
                found=f"{len(self.masks)} masks of other cases",
                fix="give a mask for each case, or leave --roi away",
            )
        mask = read_volume(self.masks[case])
        if differences := volumes.geometry.differences(mask.geometry):
            raise GeometryError(
                f"{self.masks[case]} lies on another grid",
                expected="the grid of the case's image",
                found="; ".join(differences) + " (image against mask)",
                fix="resample the mask to that grid, with nearest neighbours",
            )
        found: np.ndarray = (mask.array != 0).any(axis=0)
        return found
