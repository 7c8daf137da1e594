"""The network as torch.compile makes it: layers fused, in C++ on a CPU, in Triton on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medarch.inference.engines.feature_network import FeatureNetwork
from medarch.inference.engines.layout import channels_last


@dataclass(frozen=True)
class CompiledEngine:
    """Compiled at its first tile, which takes up to minutes; torch keeps the result in its cache on disk."""

    name: str
    dtype: torch.dtype
    layout: torch.memory_format
    compiled: Callable[[Tensor], Tensor]

    @classmethod
    def of(cls, name: str, network: nn.Module, device: torch.device, *, dtype: torch.dtype) -> CompiledEngine:
        """Copy the network to the device."""
        layout = channels_last(network)
        mine = FeatureNetwork(network).to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
        return cls(name, dtype, layout, torch.compile(mine, dynamic=False))

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``; tile by tile, so that one shape is compiled and no other."""
        return torch.cat([self.compiled(tile.contiguous(memory_format=self.layout)) for tile in torch.split(tiles, 1)])
