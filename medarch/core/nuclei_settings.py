"""What turns a network's weights into a model of nuclei."""

from __future__ import annotations

from typing import Literal

from medarch.core.plan import NetworkPlan
from medarch.core.record import Record
from medarch.core.separation import Separation


class NucleiSettings(Record):
    """``nuclei.json`` of a model folder; ``weights.safetensors`` lies beside it."""

    schema_version: Literal[1] = 1
    network: NetworkPlan
    window_pixels: int
    """Side of the tiles that the network sees."""
    mpp: float
    """Micrometres a pixel that it was trained at."""
    types: tuple[str, ...] = ()
    """Names of the types of nuclei, background not among them; empty: nuclei have no type."""
    separation: Separation = Separation()
    source: str = ""
    """Where the weights come from."""
