"""What a user may choose at prediction time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medarch.core.plan import Configuration
from medarch.inference.region import Region
from medarch.inference.window import Window

FAST_STEP = 0.75
"""Distance of tiles with ``--fast``: as few as 0.3 of the tiles in three dimensions."""


@dataclass(frozen=True)
class PredictionOptions:
    """Defaults are the plan's."""

    mirror: bool = True
    step: float | None = None
    """Distance of tiles as a share of the patch; default the plan's."""
    probabilities: bool = False
    postprocess: bool = True
    """Do what the model's cross-validation found worth doing to label maps."""
    keep_previous_stage: bool = False
    """Write what a cascade's earlier stage says into ``previous_stage/`` of the output folder."""
    region: Region | None = None
    """Predict only this part of each case."""
    memory_bytes: int = 2**31
    """What the arrays of the cases under way may take together: reading waits until a case fits."""
    restart: bool = False
    """Predict every case again, whatever the output folder holds."""

    @classmethod
    def chosen(cls, *, mirror: bool | None, step: float | None, fast: bool, **others: Any) -> PredictionOptions:
        """With ``fast``: no mirrored copies and wider steps, unless these are given."""
        if fast:
            mirror, step = bool(mirror), step or FAST_STEP
        return cls(mirror=mirror is not False, step=step, **others)

    def window(self, configuration: Configuration) -> Window:
        """The tiling of a configuration's cases."""
        return Window(
            patch=configuration.patch_voxels,
            step=self.step or configuration.inference.step,
            mirror_axes=configuration.inference.mirror_axes if self.mirror else (),
        )
