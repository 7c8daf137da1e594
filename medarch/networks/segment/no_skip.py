"""What stands in for a feature map at full resolution where an encoder has none."""

from __future__ import annotations

from torch import Tensor, nn


class NoSkip(nn.Module):
    """``(B, C, *spatial)`` → ``(B, 0, *spatial)``: tells a decoder the size of the image, and nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        """Return no channels."""
        return x[:, :0]
