"""The levers: what a training step can do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lever:
    """One change to a configuration."""

    name: str
    does: str
    training: Mapping[str, Any]
    """What differs in the plan's ``training``."""


_LEVERS = (
    Lever("accumulate", "half the batch at a time, gradients added up", {}),
    Lever("bf16", "bfloat16 where it is safe", {"precision": "bf16"}),
    Lever("fp16", "float16 where it is safe, the loss scaled", {"precision": "fp16"}),
    Lever("float32", "no mixed precision", {"precision": "float32"}),
    Lever("sgd", "SGD: one copy of the weights beside them", {"optimizer": "sgd"}),
    Lever("adamw", "AdamW: two copies of the weights beside them", {"optimizer": "adamw"}),
    Lever("selective", "norms and activations computed again, convolutions kept", {"checkpoint": "selective"}),
    Lever("blocks", "the input of each block kept, the rest computed again", {"checkpoint": "blocks"}),
    Lever("stages", "the input of each stage kept, the rest computed again", {"checkpoint": "stages"}),
    Lever("offload", "activations kept in the host's memory", {"offload_activations": True}),
)
LEVERS: Mapping[str, Lever] = {lever.name: lever for lever in _LEVERS}
