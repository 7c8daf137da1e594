"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average that starts fast and slows down: decay ``min(decay, (1 + n) / (10 + n))`` after ``n`` updates.

    The running statistics of batch normalisation are averaged with the weights, whose activations they describe.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = network
        self.values = [tensor.detach().clone() for tensor in self._tensors()]

    def _tensors(self) -> list[Tensor]:
        buffers = [buffer for buffer in self.network.buffers() if buffer.is_floating_point()]
        return [*self.network.parameters(), *buffers]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = [tensor.detach() for tensor in self._tensors()]
        torch._foreach_lerp_(self.values, current, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run a block with the average in place of the weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for tensor, value in zip(self._tensors(), self.values, strict=True):
            held = tensor.detach().clone()
            tensor.copy_(value)
            value.copy_(held)

    def state(self) -> dict[str, int | list[Tensor]]:
        """What a checkpoint keeps."""
        return {"updates": self.updates, "values": self.values}

    def load(self, state: dict[str, int | list[Tensor]]) -> None:
        """Restore :meth:`state`."""
        updates, values = state["updates"], state["values"]
        if isinstance(updates, int) and isinstance(values, list):
            self.updates = updates
            for mine, theirs in zip(self.values, values, strict=True):
                mine.copy_(theirs)
