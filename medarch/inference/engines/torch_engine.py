"""The network as torch computes it, layer by layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medarch.inference.linear_head import LinearHead


@dataclass(frozen=True)
class TorchEngine:
    """A network in one precision and memory layout on one device."""

    name: str
    network: nn.Module
    dtype: torch.dtype
    layout: torch.memory_format

    @classmethod
    def of(
        cls, name: str, network: nn.Module, device: torch.device, *, dtype: torch.dtype, channels_last: bool
    ) -> TorchEngine:
        """Copy the network to the device."""
        layout = torch.contiguous_format
        if channels_last:
            flat = any(isinstance(module, nn.Conv2d) for module in network.modules())
            layout = torch.channels_last if flat else torch.channels_last_3d
        mine: nn.Module = copy.deepcopy(network).to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
        return cls(name, mine.eval().requires_grad_(False), dtype, layout)

    def features(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` in :attr:`layout` → ``(T, F, *patch)``."""
        return LinearHead.features_of(self.network, tiles)

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``."""
        return self.features(tiles.contiguous(memory_format=self.layout))
