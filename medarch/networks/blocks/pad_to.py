"""Pad images that are too small for a network's windows."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import Voxels


class PadTo(nn.Module):
    """Zeros on both sides of ``(B, C, *spatial)``, as many as it takes to have ``smallest`` voxels an axis."""

    def __init__(self, smallest: Voxels) -> None:
        super().__init__()
        self.smallest = smallest

    def forward(self, x: Tensor) -> Tensor:
        """Return the image, padded if it is too small."""
        missing = [max(0, least - size) for least, size in zip(self.smallest, x.shape[2:], strict=True)]
        if not any(missing):
            return x
        return F.pad(x, [side for gap in reversed(missing) for side in (gap // 2, gap - gap // 2)])
