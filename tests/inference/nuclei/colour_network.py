"""A network without training that finds dark blobs, and constants for it: real nuclei, found in a second."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import NetworkPlan
from medarch.core.separation import Separation
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.tile_network import TileNetwork

MARGIN = 46


def gaussian(sigma: float, size: int) -> Tensor:
    places = torch.arange(size) - size // 2
    line = torch.exp(-(places**2) / (2 * sigma**2))
    return (line[:, None] * line / line.sum() ** 2)[None, None]


class ColourNetwork(nn.Module):
    """Optical density of red, blurred → nucleus; its falling gradient → distances; its colour → types."""

    def __init__(self, types: int = 3, margin: int = MARGIN) -> None:
        super().__init__()
        self.types, self.margin = types, margin
        self.register_buffer("blur", gaussian(2.0, 13))
        self.register_buffer("wide", gaussian(4.0, 25))

    def forward(self, tiles: Tensor) -> Tensor:
        density = -torch.log10(tiles + 1 / 255)
        blurred = F.conv2d(density[:, :1], self.blur, padding=6)
        wide = F.conv2d(density[:, :1], self.wide, padding=12)
        logit = 30 * (blurred - 0.33)
        x = (torch.roll(wide, 1, 3) - torch.roll(wide, -1, 3)) * 25
        y = (torch.roll(wide, 1, 2) - torch.roll(wide, -1, 2)) * 25
        scores = [torch.zeros_like(logit)]
        scores += [1 + number * 20 * (blurred - 0.6) for number in range(self.types - 1)]  # darker: a later type
        parts = [torch.zeros_like(logit), logit, x, y] + (scores if self.types else [])
        m = self.margin
        return torch.cat(parts, dim=1)[..., m:-m, m:-m]


SEPARATION = Separation(slope_threshold=-0.1, nucleus_pixels=20)


def tile_network(*, window: int = 256, batch: int = 1, types: int = 3, mpp: float = 0.5) -> TileNetwork:
    return TileNetwork(
        (ColourNetwork(types),),
        window=(window, window),
        margin=(MARGIN, MARGIN),
        types=types,
        mpp=mpp,
        device=torch.device("cpu"),
        batch=batch,
    )


def nuclei_model(*, types: int = 3, mpp: float = 0.5, pause_s: float = 0.0, **settings) -> NucleiModel:
    network = tile_network(types=types, mpp=mpp, **settings)
    if pause_s:
        (inner,) = network.networks

        def slow(tiles: Tensor) -> Tensor:
            time.sleep(pause_s)
            return inner(tiles)

        network = replace(network, networks=(slow,))
    names = tuple(f"kind {number}" for number in range(1, types))
    plan = NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=max(types, 1))
    told = NucleiSettings(network=plan, window_pixels=network.window[0], mpp=mpp, types=names, separation=SEPARATION)
    return NucleiModel(Path("colour"), "c0" * 32, network, told)
