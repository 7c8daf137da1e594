"""The network as torch computes it, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medarch.inference.engines.feature_network import FeatureNetwork
from medarch.inference.engines.layout import channels_last as channels_last_of
from medarch.inference.engines.transposed_as_product import transposed_as_product
from medarch.inference.engines.use_onednn import use_onednn


@dataclass(frozen=True)
class TorchEngine:
    """A network in one precision and memory layout on one device."""

    name: str
    network: FeatureNetwork
    dtype: torch.dtype
    layout: torch.memory_format

    @classmethod
    def of(
        cls, name: str, network: nn.Module, device: torch.device, *, dtype: torch.dtype, channels_last: bool
    ) -> TorchEngine:
        """Copy the network to the device."""
        layout = channels_last_of(network) if channels_last else torch.contiguous_format
        mine = FeatureNetwork(network).to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
        if channels_last and device.type == "cpu":
            transposed_as_product(mine)
            if dtype == torch.float32:
                use_onednn(mine)
        return cls(name, mine, dtype, layout)

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``."""
        found: Tensor = self.network(tiles.contiguous(memory_format=self.layout))
        return found
