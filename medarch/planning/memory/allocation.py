"""One piece of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["parameters", "gradients", "optimiser", "batch", "saved", "temporary", "workspace"]
KINDS: tuple[Kind, ...] = ("parameters", "gradients", "optimiser", "batch", "saved", "temporary", "workspace")
"""``saved``: made in the forward pass and alive at its end, for the backward pass; ``temporary``: every other tensor
of a layer; ``workspace``: what a kernel takes for itself."""


@dataclass(eq=False, slots=True)
class Allocation:
    """One storage, or the workspace of one kernel."""

    bytes: int
    layer: str
    """Dotted path of the module that made it; ``(between)``: the network itself; empty: the loss, or the batch."""
    kind: Kind = "temporary"
