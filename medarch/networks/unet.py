"""The U-Net of nnU-Net, with a plain or a residual encoder, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from medarch.core.plan import NetworkPlan
from medarch.networks.conv_block import NEGATIVE_SLOPE, ConvBlock
from medarch.networks.dimension import convolution, transposed_convolution
from medarch.networks.encoder import Encoder
from medarch.networks.require_topology import require_topology
from medarch.networks.residual_block import ResidualBlock


class UNet(nn.Module):
    """Encoder-decoder with skips and one segmentation head a resolution.

    Sources: Ronneberger et al. 2015 (arXiv:1505.04597); Isensee et al. 2021 (Nat. Methods 18:203) for strides, kernels
    and deep supervision; Isensee et al. 2024 (arXiv:2404.09556) for the residual encoder.

    Input ``(B, C, *spatial)`` with every side a multiple of the product of its strides. Output in training with
    ``deep_supervision``: a list of logits ``(B, heads, *spatial / stride)``, finest first; otherwise the finest alone.
    """

    def __init__(self, plan: NetworkPlan, *, residual: bool) -> None:
        super().__init__()
        require_topology(plan)
        self.deep_supervision = plan.deep_supervision
        self.encoder = _Encoder(plan, residual=residual)
        self.ups = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.heads = nn.ModuleList()
        one = (1,) * plan.dim
        for stage in reversed(range(len(plan.features) - 1)):
            deep, width = plan.features[stage + 1], plan.features[stage]
            stride = plan.strides[stage + 1]
            self.ups.append(transposed_convolution(plan.dim)(deep, width, stride, stride))  # type: ignore[arg-type]
            blocks = [
                ConvBlock(plan.dim, 2 * width if first else width, width, kernel=plan.kernels[stage], stride=one)
                for first in [True] + [False] * (plan.decoder_blocks[stage] - 1)
            ]
            self.decoder.append(nn.Sequential(*blocks))
            self.heads.append(convolution(plan.dim)(width, plan.heads, 1))
        self.apply(_initialise)
        for block in self.modules():
            if isinstance(block, ResidualBlock):
                # A residual block that starts as the identity is easier to train (Goyal et al. 2017, section 5.1).
                nn.init.zeros_(block.conv2[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return logits; see the class."""
        if not (self.deep_supervision and self.training):
            logits: Tensor = self.head(self.features(x))
            return logits
        return [head(decoded) for head, decoded in zip(self.heads, self._decoded(x), strict=True)][::-1]

    def features(self, x: Tensor) -> Tensor:
        """Return what :attr:`head` turns into logits: ``(B, F, *spatial)``."""
        for decoded in self._decoded(x):
            last = decoded
        return last

    @property
    def head(self) -> nn.Module:
        """The 1×1 convolution at full resolution. It is linear and pointwise, so it may as well come after averages."""
        return self.heads[-1]

    def _decoded(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the decoder's feature maps, coarsest first."""
        *skips, x = self.encoder(x)
        for up, decode in zip(self.ups, self.decoder, strict=True):
            x = decode(torch.cat([up(x), skips.pop()], dim=1))
            yield x


class _Encoder(Encoder):
    """``(B, C, *spatial)`` → one feature map a stage, finest first; a residual encoder begins with one more block."""

    def __init__(self, plan: NetworkPlan, *, residual: bool) -> None:
        one = (1,) * plan.dim
        width = plan.in_channels
        stem: nn.Module = nn.Identity()
        if residual:
            stem = ConvBlock(plan.dim, width, plan.features[0], kernel=plan.kernels[0], stride=one)
            width = plan.features[0]
        block = ResidualBlock if residual else ConvBlock
        stages = []
        for features, stride, kernel, count in zip(plan.features, plan.strides, plan.kernels, plan.blocks, strict=True):
            blocks: list[nn.Module] = []
            for index in range(count):
                blocks.append(block(plan.dim, width, features, kernel=kernel, stride=stride if index == 0 else one))
                width = features
            stages.append(nn.Sequential(*blocks))
        super().__init__(stages, channels=plan.features, strides=plan.strides)
        self.stem = stem

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the stages."""
        return super().forward(self.stem(x))


def _initialise(module: nn.Module) -> None:
    """He initialisation for leaky ReLU (He et al. 2015, arXiv:1502.01852)."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
