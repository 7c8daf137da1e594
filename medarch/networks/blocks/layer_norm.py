"""Layer normalisation over the channels of each voxel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelLayerNorm(nn.Module):
    """Normalise the channels of each voxel; ``(B, C, *spatial)`` (Ba et al. 2016, arXiv:1607.06450; ConvNeXt).

    ``nn.LayerNorm`` wants channels last, and a group norm with one group is another function: it takes mean and
    variance over the voxels, too.
    """

    def __init__(self, channels: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, same shape."""
        last = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, self.eps)
        return last.movedim(-1, 1)
