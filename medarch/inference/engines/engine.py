"""What tiles go through."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Engine(Protocol):
    """One network, ready to compute on one device.

    An engine has its own copy of the weights; the network that it was made from stays as it was.
    """

    @property
    def name(self) -> str:
        """One of :data:`medarch.inference.engines.load_engine.ENGINES`."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the tiles that it takes and the features that it returns."""

    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` in :attr:`dtype`, on the engine's device → ``(T, F, *patch)`` there.

        F counts what :class:`~medarch.inference.linear_head.LinearHead` turns into logits. T may differ from call to
        call. What is returned is the caller's: no later call writes into it.

        Raises:
            torch.OutOfMemoryError: the device is too small for T tiles.
        """
