"""How to tile a case and what to average."""

from __future__ import annotations

import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How to tile and what to average."""

    patch: tuple[int, ...]
    step: float = 0.5
    mirror_axes: tuple[int, ...] = ()

    @property
    def flips(self) -> list[tuple[int, ...]]:
        """All combinations of mirror axes, none first."""
        axes = self.mirror_axes
        return [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]
