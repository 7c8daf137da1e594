"""An image as a tensor, with the place of its voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class GridImage:
    """One image of a pair, of D = 2 or 3 dimensions."""

    values: Tensor
    """``(1, C, *grid)`` float32."""
    matrix: Tensor
    """``(D + 1, D + 1)`` float64 on the CPU: voxel index → millimetres."""
    mask: Tensor | None = None
    """``(1, 1, *grid)`` float32, weights from 0 to 1: where the image counts; None: everywhere."""

    @property
    def size(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return tuple(self.values.shape[2:])

    @property
    def dim(self) -> int:
        """D."""
        return self.values.dim() - 2

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Edges of a voxel."""
        edges: list[float] = torch.linalg.vector_norm(self.matrix[: self.dim, : self.dim], dim=0).tolist()
        return tuple(edges)

    def to(self, device: torch.device) -> GridImage:
        """The same on another device."""
        return replace(self, values=self.values.to(device), mask=None if self.mask is None else self.mask.to(device))


def voxel_map(fixed: GridImage, moving: GridImage, world: Tensor) -> Tensor:
    """Return ``(1, D, D + 1)`` float32 on the images' device: voxel of the fixed grid → voxel of the moving grid.

    Args:
        fixed: image of the fixed grid.
        moving: image of the moving grid.
        world: ``(D + 1, D + 1)`` float64, millimetres → millimetres.
    """
    matrix: Tensor = torch.linalg.solve(moving.matrix, world @ fixed.matrix)
    return matrix[None, : fixed.dim].float().to(fixed.values.device)
