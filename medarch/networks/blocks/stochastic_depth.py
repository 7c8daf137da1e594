"""Leave residual branches out at random."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """In training, a branch is 0 with ``probability``, else scaled up (Huang et al. 2016, arXiv:1603.09382)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch of those samples that keep it; same shape."""
        if not self.training or self.probability == 0:
            return branch
        kept = 1 - self.probability
        gate = torch.empty(len(branch), *[1] * (branch.dim() - 1), dtype=branch.dtype, device=branch.device)
        return branch * gate.bernoulli_(kept) / kept
