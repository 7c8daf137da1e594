"""Networks of nuclei on tiles of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TileNetwork:
    """Pixels in, maps out, always in batches of one size: a tile's maps must not depend on what it is computed with."""

    networks: tuple[Callable[[Tensor], Tensor], ...]
    """One a fold, whose probabilities and distances are averaged. ``(B, C, *window)`` → ``(B, 2 + dim + t, *sides)``:
    logits of background and nucleus, distances in x and y (and z), logits of ``t`` types (background first; 0 where
    there are none)."""
    window: tuple[int, ...]
    """Pixels that a tile is computed from, along each axis."""
    margin: tuple[int, ...]
    """What the output lacks at each end of each axis, or what is cut off it."""
    types: int
    mpp: float
    """Micrometres a pixel that the network was trained at; of volumes, whose grids are in millimetres, 0."""
    device: torch.device
    dtype: torch.dtype = torch.float32
    batch: int = 1

    @property
    def sides(self) -> tuple[int, ...]:
        """Of a tile's output."""
        return tuple(whole - 2 * lost for whole, lost in zip(self.window, self.margin, strict=True))

    @property
    def side(self) -> int:
        """Of a slide's tile, which is square."""
        return self.sides[-1]

    @property
    def channels(self) -> int:
        """Of the maps: probability of nucleus, a distance an axis, probabilities of types."""
        return 1 + len(self.window) + self.types

    def maps(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels ``(b, *window, C)`` → float16 ``(b, channels, *sides)``, ``b`` at most a batch.

        Bytes are divided by 255; other intensities are taken as they are.
        """
        count = len(pixels)
        if count < self.batch:
            pixels = np.concatenate((pixels, np.repeat(pixels[-1:], self.batch - count, axis=0)))
        tiles = torch.from_numpy(pixels).to(self.device).movedim(-1, 1).float()
        if pixels.dtype == np.uint8:
            tiles = tiles / 255
        maps = self._maps(self.networks[0], tiles)
        for network in self.networks[1:]:
            maps += self._maps(network, tiles)
        result: np.ndarray = (maps[:count] / len(self.networks)).to("cpu", torch.float16).numpy()
        return result

    def _maps(self, network: Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.inference_mode(), autocast:
            outputs = network(tiles).float()
            more = [(size - side) // 2 for size, side in zip(outputs.shape[2:], self.sides, strict=True)]
            inner = tuple(slice(start, start + side) for start, side in zip(more, self.sides, strict=True))
            outputs = outputs[(slice(None), slice(None), *inner)]
            dim = len(self.window)
            parts = [torch.softmax(outputs[:, :2], dim=1)[:, 1:], outputs[:, 2 : 2 + dim]]
            if self.types:
                parts.append(torch.softmax(outputs[:, 2 + dim :], dim=1))
            return torch.cat(parts, dim=1)
