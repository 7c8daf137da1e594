"""Which layer of a network is being computed, forwards and backwards."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from typing import Any

import torch
from torch import nn

BETWEEN = "(between)"
"""What a network does between its layers: concatenations, sums."""


class LayerClock:
    """Follows the modules of a network.

    In the forward pass hooks say where it is. Every operation recorded for the backward pass has a rising number, so
    the numbers at which layers begin and end tell in the backward pass whose operation is undone. Custom autograd
    functions and checkpoints are followed, too: what they compute again runs through the same hooks.
    """

    def __init__(self, network: nn.Module) -> None:
        self._stack: list[str] = []
        self._numbers: list[int] = [-1]
        self._layers: list[str] = [""]
        for name, module in network.named_modules():
            module.register_forward_pre_hook(partial(self._enter, name or BETWEEN))
            # A checkpoint ends its second forward pass by an exception when it has all it needs.
            module.register_forward_hook(self._leave, always_call=True)

    @property
    def layer(self) -> str:
        """Dotted path of the present module; empty outside of all."""
        node = torch._C._current_autograd_node()
        if self._stack or node is None:
            return self._stack[-1] if self._stack else ""
        return self._layers[bisect_right(self._numbers, node._sequence_nr()) - 1]

    def _enter(self, name: str, *unused: Any) -> None:
        self._stack.append(name)
        self._note()

    def _leave(self, *unused: Any) -> None:
        self._stack.pop()
        self._note()

    def _note(self) -> None:
        self._numbers.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]
        self._layers.append(self._stack[-1] if self._stack else "")
