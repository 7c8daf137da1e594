"""A trained model of nuclei in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.separation import Separation
from medarch.inference.nuclei.tile_network import TileNetwork


@dataclass(frozen=True)
class NucleiModel:
    """The network on its device, and what the folder says of it."""

    folder: Path
    sha256: str
    network: TileNetwork
    settings: NucleiSettings

    @property
    def separation(self) -> Separation:
        """What makes nuclei of the maps."""
        return self.settings.separation

    @property
    def names(self) -> tuple[str, ...]:
        """Of the types other than background; empty where nuclei have no type."""
        return self.settings.types
