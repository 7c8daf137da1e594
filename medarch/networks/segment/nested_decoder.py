"""The nested decoder of UNet+ and UNet++, over any encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medarch.core.plan import Voxels
from medarch.networks.decoder import Decoder
from medarch.networks.dimension import Dim
from medarch.networks.encoder import Encoder
from medarch.networks.segment.conv_stack import ConvStack
from medarch.networks.segment.up_sample import UpName, UpSample


class NestedDecoder(Decoder):
    """Nodes X(i, j): level i, column j; column 0 is the encoder.

    X(i, j) sees X(i + 1, j - 1) up-sampled and, before it at its level, all of X(i, 0 … j - 1) (UNet++) or X(i, j - 1)
    alone (UNet+). So the row of the finest level, X(0, 1) to X(0, L), holds U-Nets of depth 1 to L, each of which can
    have a head. Source: Zhou et al. 2018, arXiv:1807.10165, figure 1; UNet+ is the ablation of arXiv:1912.05074.

    The last node of each level (the one a U-Net has) is ``widths[i]`` wide, those before it as wide as the encoder's
    map; a node without width is left out.

    Args:
        dim: 2 or 3.
        encoder: for its channels and strides.
        widths: of the last node of each level, finest first; one fewer than the encoder has maps.
        kernels: of each level.
        blocks: convolutions of each node, by level.
        up: how to up-sample.
        norm: normalisation.
        dense: UNet++; without it UNet+.
    """

    def __init__(
        self,
        dim: Dim,
        encoder: Encoder,
        *,
        widths: Sequence[int],
        kernels: Sequence[Voxels],
        blocks: Sequence[int],
        up: UpName,
        norm: str,
        dense: bool = True,
    ) -> None:
        super().__init__(encoder.channels, encoder.strides)
        self.dense = dense
        self.depth = len(widths)
        width = {(level, 0): channels for level, channels in enumerate(encoder.channels)}
        self.ups = nn.ModuleDict()
        self.nodes = nn.ModuleDict()
        for level, column in self._order(self.depth):
            own = widths[level] if level + column == self.depth else encoder.channels[level]
            width[level, column] = own
            if not own:
                continue
            raised = UpSample(dim, width[level + 1, column - 1], own, stride=encoder.strides[level + 1], how=up)
            joined = raised.channels + sum(width[level, before] for before in self._before(column))
            name = f"{level}_{column}"
            self.ups[name] = raised
            self.nodes[name] = ConvStack(joined, own, kernel=kernels[level], count=blocks[level], norm=norm)
        # A finest level that the encoder has no map of has its last node only.
        self.channels = tuple(width[0, column] for column in range(self.depth, 0, -1) if width[0, column])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return X(0, L) to X(0, 1), all of the size of the first map.

        Given the first ``k + 1`` maps of the encoder only, the nodes that X(0, k) needs are computed, and X(0, k) to
        X(0, 1) returned.
        """
        depth = len(maps) - 1
        made: dict[tuple[int, int], Tensor] = {(level, 0): x for level, x in enumerate(maps)}
        for level, column in self._order(depth):
            name = f"{level}_{column}"
            if name not in self.nodes:
                continue
            before = [made[level, other] for other in self._before(column) if (level, other) in made]
            raised = self.ups[name](made[level + 1, column - 1], maps[level].shape[2:])
            made[level, column] = self.nodes[name](torch.cat([raised, *before], dim=1))
        return [made[0, column] for column in range(depth, 0, -1) if (0, column) in made]

    def _before(self, column: int) -> list[int]:
        """Columns of its own level that a node sees, last first."""
        return list(range(column - 1, -1, -1)) if self.dense else [column - 1]

    @staticmethod
    def _order(depth: int) -> list[tuple[int, int]]:
        """All nodes of a decoder, each after those it needs."""
        return [(level, column) for column in range(1, depth + 1) for level in range(depth + 1 - column)]
