"""How to tile a case and what to average."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

VOXELS_PER_PASS = {"cpu": 2**18, "cuda": 2**23, "mps": 2**21}
"""How many voxels of tiles and flips go through the network at once: enough to keep the device busy, no more."""


@dataclass(frozen=True)
class Window:
    """How to tile and what to average."""

    patch: tuple[int, ...]
    step: float = 0.5
    mirror_axes: tuple[int, ...] = ()

    @property
    def flips(self) -> list[tuple[int, ...]]:
        """All combinations of mirror axes, none first."""
        return mirrored_copies(self.mirror_axes)


def mirrored_copies(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """All combinations of axes, none first."""
    return [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]
