"""A pair at the two resolutions of the linear step."""

from __future__ import annotations

from functools import cached_property

from medarch.inference.registration.coarsen import coarsen, spacing_of_voxels
from medarch.inference.registration.grid_image import GridImage

COARSE_VOXELS, FINE_VOXELS = 4_000, 40_000
"""Of the fixed image: the first finds the place, the second the tenth of a voxel."""


class AffineLevels:
    """Both images coarsened, each level once, when it is asked for.

    Args:
        fixed: the image whose grid counts.
        moving: the image that is sampled.
    """

    def __init__(self, fixed: GridImage, moving: GridImage) -> None:
        self.fixed = fixed
        self.moving = moving

    @cached_property
    def coarse(self) -> tuple[GridImage, GridImage]:
        """Fixed and moving image with :data:`COARSE_VOXELS`."""
        return self._at(COARSE_VOXELS)

    @cached_property
    def fine(self) -> tuple[GridImage, GridImage]:
        """Fixed and moving image with :data:`FINE_VOXELS`."""
        return self._at(FINE_VOXELS)

    def _at(self, voxels: int) -> tuple[GridImage, GridImage]:
        spacing = spacing_of_voxels(self.fixed, voxels)
        return coarsen(self.fixed, spacing), coarsen(self.moving, spacing)
