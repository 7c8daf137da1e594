"""One grid for the two images of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medarch.core.prepared import PreparedCase
from medarch.preprocessing.network_matrix import network_matrix

Alignment = Literal["world", "centres"]


@dataclass(frozen=True)
class PairGrid:
    """The network's input for a pair: the fixed image's grid, cut or filled up about its centre to the input's size."""

    size: tuple[int, int, int]
    fixed: np.ndarray
    """``(4, 4)``: voxel of the input → voxel of the prepared fixed case, a shift by whole voxels."""
    moving: np.ndarray
    """``(4, 4)``: voxel of the input → voxel of the prepared moving case, before any registration."""

    @classmethod
    def of(cls, fixed: PreparedCase, moving: PreparedCase, *, size: Sequence[int], alignment: Alignment) -> PairGrid:
        """Lay a pair out.

        Args:
            fixed: how the fixed case was prepared.
            moving: how the moving case was prepared.
            size: of the input, two or three sides.
            alignment: ``world``: what lies at one place in the world; ``centres``: the centres of the images, by whole
                voxels, along the axes of the network.
        """
        sides = (1,) * (3 - len(size)) + tuple(size)
        to_fixed = _shift([(have - want) // 2 for have, want in zip(fixed.shape, sides, strict=True)])
        if alignment == "world":
            to_moving = np.linalg.solve(network_matrix(moving), network_matrix(fixed)) @ to_fixed
        else:
            between = [(have - want) // 2 for have, want in zip(moving.shape, fixed.shape, strict=True)]
            to_moving = _shift(between) @ to_fixed
        return cls((sides[0], sides[1], sides[2]), to_fixed, to_moving)

    def start(self, fixed: PreparedCase, moving: PreparedCase) -> np.ndarray:
        """Return ``(4, 4)``: RAS+ millimetres of the fixed image → of the moving one, before any registration."""
        to_moving = network_matrix(moving) @ self.moving
        matrix: np.ndarray = to_moving @ np.linalg.inv(network_matrix(fixed) @ self.fixed)
        return matrix


def _shift(voxels: Sequence[int]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix
