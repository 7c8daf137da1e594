"""Squeeze-and-excitation."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.networks.blocks.activation import activation as activation_named


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the means of all (Hu et al. 2018, arXiv:1709.01507, figure 2).

    ``(B, C, *spatial)`` → the same. Two linear layers, ``C → hidden → C``; with gate logits of 0 the output is half the
    input.

    Args:
        channels: of the input.
        hidden: of the layer between; the paper's reduction 16 means ``channels // 16``.
        activation: after the first layer.
    """

    def __init__(self, channels: int, hidden: int, *, activation: str = "relu") -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.activation = activation_named(activation)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled tensor."""
        gate: Tensor = self.excite(self.activation(self.squeeze(x.flatten(2).mean(-1)))).sigmoid()
        return x * gate.view(*gate.shape, *[1] * (x.dim() - 2))
