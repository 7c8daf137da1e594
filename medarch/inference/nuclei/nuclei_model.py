"""A trained model of nuclei in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medarch.core.separation import Separation
from medarch.inference.nuclei.tile_network import TileNetwork


@dataclass(frozen=True)
class NucleiModel:
    """The network on its device, the constants that make nuclei of its maps, and the names of its types."""

    folder: Path
    sha256: str
    network: TileNetwork
    separation: Separation
    names: tuple[str, ...]
    """Of the types other than background; empty where nuclei have no type."""
