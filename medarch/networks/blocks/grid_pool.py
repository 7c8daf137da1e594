"""Average an image of any size to a grid of a given size."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GridPool(nn.Module):
    """``(B, C, *spatial)`` → ``(B, C, grid, ..., grid)``, means over bins that may overlap by a voxel.

    The function of ``nn.AdaptiveAvgPool2d`` and ``3d``, as a product with one matrix an axis: the torch kernel in 3D
    can be exported to no ONNX graph, takes no bfloat16 on a CPU, and its gradient on CUDA differs from run to run.
    """

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        """Return the means; an image of the grid's size is returned as it is."""
        for axis in range(2, x.dim()):
            size = x.shape[axis]
            if size != self.grid:
                x = (x.movedim(axis, -1) @ self._means(size, x)).movedim(-1, axis)
        return x

    def _means(self, size: int, like: Tensor) -> Tensor:
        """``(size, grid)``: column ``n`` takes the mean of bin ``n``."""
        columns = []
        for number in range(self.grid):
            start, end = number * size // self.grid, -(-(number + 1) * size // self.grid)
            columns.append([1 / (end - start) if start <= voxel < end else 0.0 for voxel in range(size)])
        return torch.tensor(columns, dtype=like.dtype, device=like.device).T
