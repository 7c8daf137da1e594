"""How far landmarks miss each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.landmarks import Landmarks
from medarch.core.spatial_transform import TransformChain
from medarch.preprocessing.transforms.map_points import map_points


class LandmarkErrors(NamedTuple):
    """Of the landmarks that both images have."""

    names: tuple[str, ...]
    errors_mm: np.ndarray
    """``(N,)``, in the moving image's space."""


def target_registration_error(fixed: Landmarks, moving: Landmarks, chain: TransformChain) -> LandmarkErrors:
    """Return the distance from where the chain sends each landmark of the fixed image to its twin in the moving image.

    Raises:
        EvaluationError: the landmarks have no name in common, or a name occurs twice.
    """
    names = tuple(name for name in fixed.names if name in set(moving.names))
    twice = [name for each in (fixed, moving) for name in set(each.names) if each.names.count(name) > 1]
    if not names or twice:
        raise EvaluationError(
            "the landmarks cannot be paired by name",
            expected="each name once in both files",
            found=f"twice: {', '.join(sorted(twice))}" if twice else f"{', '.join(fixed.names[:3])} and others only",
            fix="name the points of one place alike",
        )
    missed = map_points(fixed.at(names), chain).points_mm - moving.at(names)
    return LandmarkErrors(names, np.linalg.norm(missed, axis=1))
