"""A network that ends before its head, as a module that other programs can take over."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from medarch.inference.linear_head import LinearHead


class FeatureNetwork(nn.Module):
    """``(T, C, *patch)`` → ``(T, F, *patch)``: what :class:`~medarch.inference.linear_head.LinearHead` asks for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def forward(self, tiles: Tensor) -> Tensor:
        """Return the features."""
        return LinearHead.features_of(self.network, tiles)
