"""From features to vectors."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.networks.blocks.convolve import convolve
from medarch.networks.dimension import Dim

SPREAD = 1e-5
"""Standard deviation of the first weights."""


class FieldHead(nn.Module):
    """``(B, width, *grid)`` → a field ``(B, D, *grid)`` in float32 that is all but zero at first.

    A registration starts from the identity, as in Balakrishnan et al. 2019, arXiv:1809.05231.
    """

    def __init__(self, dim: Dim, width: int) -> None:
        super().__init__()
        self.convolution = convolve(width, dim, (3,) * dim, bias=True)
        nn.init.normal_(self.convolution.weight, std=SPREAD)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return the field; hundredths of a voxel do not survive half precision."""
        field: Tensor = self.convolution(x)
        return field.float() if field.element_size() < 4 else field
