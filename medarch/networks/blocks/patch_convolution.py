"""A convolution over patches side by side."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from medarch.networks.blocks.convolve import convolve
from medarch.networks.stage_geometry import StageGeometry


class PatchConvolution(nn.Module):
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``: ConvNeXt's and the transformers' way to halve.

    The kernel is ``size`` along each axis with a stride (flat axes and those without a stride have 1). With
    ``stride = size`` patches do not overlap; a smaller stride makes them overlap, so that weights of a file still fit.
    The image is padded with zeros at its ends where it is no multiple.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, geometry: StageGeometry) -> None:
        super().__init__()
        self.stride = geometry.stride
        kernel = tuple(1 if step == 1 else max(size, step) for step in geometry.stride)
        self.conv = convolve(in_channels, out_channels, kernel, geometry.stride, bias=True)
        self.conv.padding = (0,) * len(kernel)  # type: ignore[assignment]
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """Return one vector a patch, as channels."""
        beyond: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[2:]), reversed(self.kernel), reversed(self.stride), strict=True
        ):
            missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            beyond += [missing // 2, missing - missing // 2]
        found: Tensor = self.conv(F.pad(x, beyond) if any(beyond) else x)
        return found
