"""The first of the three contracts: an image becomes feature maps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from medarch.core.plan import Voxels


class Encoder(nn.Module):
    """Stages one after another; each gives a feature map.

    ``(B, C, *spatial)`` → one map a stage, finest first. Map ``n`` has ``channels[n]`` channels and along each axis
    ``ceil(size / stride)`` voxels of the map before it (map 0: of the image), where ``stride = strides[n]``. So a
    decoder that doubles a map makes it as large as the map before it, or one voxel larger: crop at the end.
    """

    def __init__(self, stages: Sequence[nn.Module], *, channels: Sequence[int], strides: Sequence[Voxels]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels: tuple[int, ...] = tuple(channels)
        self.strides: tuple[Voxels, ...] = tuple(strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return one feature map a stage, finest first."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
