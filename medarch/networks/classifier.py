"""An encoder and a head that looks at its last map."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.networks.encoder import Encoder


class Classifier(nn.Module):
    """``(B, C, *spatial)`` → logits ``(B, heads)``.

    ``encoder`` is free for a decoder, or for pictures of what the network looks at.
    """

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.encoder(x)[-1])
        return logits
