"""How a pair is registered."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.inference.registration.similarity import Similarity


@dataclass(frozen=True)
class RegistrationSettings:
    """Defaults were chosen on training pairs of hippocampi and brains (pipelines/benchmarks/registration_pairs.py)."""

    similarity: Similarity = "lncc"
    window: int = 3
    """Side of the local correlation's window in voxels."""
    smoothness: float = 0.3
    """Weight of the velocity's mean squared gradient (mm per mm)."""
    iterations: tuple[int, int, int] = (40, 40, 40)
    """At a quarter, half and the whole of the resolution."""
    rate: float = 0.5
    """Largest change of the velocity in one iteration, in voxels of its grid."""
    voxels: int = 1_000_000
    """Larger images are registered at a resolution with so many; the field is written for the whole grid."""
