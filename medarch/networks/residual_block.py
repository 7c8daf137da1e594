"""Basic residual block, as in nnU-Net's residual encoder."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.conv_block import NEGATIVE_SLOPE, ConvBlock
from medarch.networks.dimension import Dim, average_pool, convolution
from medarch.networks.instance_norm import InstanceNorm


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv:1512.03385; average-pooled as in ResNet-D).

    ``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``.
    """

    def __init__(self, dim: Dim, in_channels: int, out_channels: int, *, kernel: Voxels, stride: Voxels) -> None:
        super().__init__()
        one = (1,) * dim
        self.conv1 = ConvBlock(dim, in_channels, out_channels, kernel=kernel, stride=stride)
        self.conv2 = ConvBlock(dim, out_channels, out_channels, kernel=kernel, stride=one, activate=False)
        shortcut: list[nn.Module] = []
        if any(step > 1 for step in stride):
            shortcut.append(_Pool(dim, stride))
        if in_channels != out_channels:
            shortcut.append(convolution(dim)(in_channels, out_channels, 1, bias=False))
            shortcut.append(InstanceNorm(out_channels))
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return self.activation(self.conv2(self.conv1(x)) + self.shortcut(x))  # type: ignore[no-any-return]


class _Pool(nn.Module):
    def __init__(self, dim: Dim, stride: Voxels) -> None:
        super().__init__()
        self.pool = average_pool(dim)(stride, stride)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        # torch averages no bfloat16 on a CPU, where prediction runs in it.
        pooled: Tensor = self.pool(x.float()).to(x.dtype) if x.device.type == "cpu" else self.pool(x)
        return pooled
