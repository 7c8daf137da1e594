"""How a pair is registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from medarch.core.errors import UsageError

Linear = Literal["none", "rigid", "similarity", "affine"]
Start = Literal["auto", "files", "centres"]
Similarity = Literal["auto", "lncc", "mind", "nmi", "mse"]
"""Local correlation for images of one kind, MIND descriptors or mutual information for two kinds, squared difference
for images on one scale of intensities; ``auto`` looks at a pair and takes one of the first two."""


@dataclass(frozen=True)
class RegistrationSettings:
    """Defaults were chosen on training pairs of hippocampi and brains (pipelines/benchmarks/registration_pairs.py).

    Raises:
        UsageError: a name is unknown or a number out of range.
    """

    linear: Linear = "affine"
    """What is found before the deformation; ``none`` for pairs that are aligned already."""
    deformable: bool = True
    similarity: Similarity = "lncc"
    """The linear step takes the correlation (lncc, mse) or the mutual information (mind, nmi) of the whole overlap."""
    window: int = 3
    """Side of the local correlation's window in voxels."""
    smoothness: float = 0.3
    """Weight of the velocity's mean squared gradient (mm per mm)."""
    iterations: tuple[int, ...] = (40, 40, 40)
    """At a quarter, half and the whole of the resolution."""
    rate: float = 0.5
    """Largest change of the velocity in one iteration, in voxels of its grid."""
    voxels: int = 1_000_000
    """Larger images are registered at a resolution with so many; the field is written for the whole grid."""
    start: Start = "auto"
    """Of the linear step: as the files place the images, centres of mass on each other, or the better of both."""
    seconds: float | None = None
    """Wall time after which what there is is returned."""

    def __post_init__(self) -> None:
        for name, names in (("linear", Linear), ("similarity", Similarity), ("start", Start)):
            _require(getattr(self, name) in get_args(names), name, ", ".join(get_args(names)), getattr(self, name))
        several = len(self.iterations) == 3 and all(count >= 0 for count in self.iterations)
        _require(several, "iterations", "three numbers of 0 or more, coarse to fine", self.iterations)
        _require(self.smoothness >= 0, "smoothness", "0 or more", self.smoothness)
        _require(self.window % 2 == 1 and self.window > 1, "window", "an odd number of voxels from 3", self.window)
        _require(self.seconds is None or self.seconds > 0, "seconds", "more than 0", self.seconds)

    @property
    def linear_similarity(self) -> Literal["ncc", "nmi"]:
        """What the linear step takes."""
        return "ncc" if self.similarity in ("lncc", "mse") else "nmi"


def _require(fulfilled: bool, name: str, expected: str, found: Any) -> None:
    if not fulfilled:
        raise UsageError(f"the setting {name} does not fit", expected=expected, found=str(found))
