"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average that starts fast and slows down: decay ``min(decay, (1 + n) / (10 + n))`` after ``n`` updates."""

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = network
        self.values = [parameter.detach().clone() for parameter in network.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = [parameter.detach() for parameter in self.network.parameters()]
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
        for index, parameter in enumerate(self.network.parameters()):
            held = parameter.detach().clone()
            parameter.copy_(self.values[index])
            self.values[index].copy_(held)

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
