"""From a coarse feature map to the size of a finer one."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import Voxels
from medarch.networks.dimension import Dim, transposed_convolution

UpName = Literal["deconv", "nearest"]


class UpSample(nn.Module):
    """``(B, in, *coarse)`` → ``(B, channels, *fine)``.

    ``deconv`` is a transposed convolution whose kernel is its stride (``channels = out``), ``nearest`` repeats voxels
    (``channels = in``).
    """

    def __init__(self, dim: Dim, in_channels: int, out_channels: int, *, stride: Voxels, how: UpName) -> None:
        super().__init__()
        if how not in ("deconv", "nearest"):
            raise PlanError(f"unknown up-sampling {how!r}", expected="deconv, nearest", fix="correct network.options")
        self.stride = tuple(stride)
        self.channels = out_channels if how == "deconv" else in_channels
        self.deconv = (
            transposed_convolution(dim)(in_channels, out_channels, stride, stride)  # type: ignore[arg-type]
            if how == "deconv"
            else None
        )

    def forward(self, x: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return ``x`` with spatial ``size``; what the stride makes too large is cropped at the end."""
        if self.deconv is not None:
            x = self.deconv(x)
        elif set(self.stride) != {1}:
            x = F.interpolate(x, scale_factor=tuple(map(float, self.stride)), mode="nearest")
        return crop(x, size)


def crop(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The first ``size`` voxels along each axis of ``(B, C, *spatial)``."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return x[(slice(None), slice(None), *(slice(0, side) for side in size))]
