"""Networks of nuclei on tiles of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

DISTANCES = 2


@dataclass(frozen=True)
class TileNetwork:
    """Pixels in, maps out, always in batches of one size: a tile's maps must not depend on what it is computed with."""

    networks: tuple[Callable[[Tensor], Tensor], ...]
    """One a fold, whose probabilities and distances are averaged. ``(B, 3, window, window)`` from 0 to 1 →
    ``(B, 4 + t, side, side)``: logits of background and nucleus, distances in x and y, logits of ``t`` types
    (background first; 0 where there are none)."""
    window: int
    """Pixels that a tile is computed from, a side."""
    margin: int
    """What the output lacks at each end, or what is cut off it."""
    types: int
    mpp: float
    """Micrometres a pixel that the network was trained at."""
    device: torch.device
    dtype: torch.dtype = torch.float32
    batch: int = 1

    @property
    def side(self) -> int:
        """Of a tile's output."""
        return self.window - 2 * self.margin

    @property
    def channels(self) -> int:
        """Of the maps: probability of nucleus, two distances, probabilities of types."""
        return 1 + DISTANCES + self.types

    def maps(self, pixels: np.ndarray) -> np.ndarray:
        """RGB uint8 ``(b, window, window, 3)`` → float16 ``(b, channels, side, side)``, ``b`` at most a batch."""
        count = len(pixels)
        if count < self.batch:
            pixels = np.concatenate((pixels, np.repeat(pixels[-1:], self.batch - count, axis=0)))
        tiles = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255
        maps = self._maps(self.networks[0], tiles)
        for network in self.networks[1:]:
            maps += self._maps(network, tiles)
        result: np.ndarray = (maps[:count] / len(self.networks)).to("cpu", torch.float16).numpy()
        return result

    def _maps(self, network: Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.inference_mode(), autocast:
            outputs = network(tiles).float()
            more = (outputs.shape[-1] - self.side) // 2
            if more:
                outputs = outputs[..., more : more + self.side, more : more + self.side]
            parts = [torch.softmax(outputs[:, :2], dim=1)[:, 1:], outputs[:, 2 : 2 + DISTANCES]]
            if self.types:
                parts.append(torch.softmax(outputs[:, 2 + DISTANCES :], dim=1))
            return torch.cat(parts, dim=1)
