"""What turns a network's weights into a model of nuclei."""

from __future__ import annotations

from typing import Literal

from medarch.core.plan import NetworkPlan, PreprocessingPlan
from medarch.core.record import Record
from medarch.core.separation import Separation


class NucleiSettings(Record):
    """``nuclei.json`` of a model folder; ``weights.safetensors`` lies beside it."""

    schema_version: Literal[1] = 1
    network: NetworkPlan
    window_pixels: int | tuple[int, int, int]
    """Side of the tiles that the network sees; of volumes all three, along the network's axes."""
    mpp: float | None = None
    """Micrometres a pixel that it was trained at; None for volumes."""
    preprocessing: PreprocessingPlan | None = None
    """Of volumes: what the network sees of them, and the grid it was trained at."""
    detection_radius_mm: float | None = None
    """Of volumes: centres that lie closer belong together when predictions are measured; half the diameter of the
    median nucleus that was trained on."""
    types: tuple[str, ...] = ()
    """Names of the types of nuclei, background not among them; empty: nuclei have no type."""
    separation: Separation = Separation()
    source: str = ""
    """Where the weights come from."""
