"""How alike a fixed image and a warped one are, as something to minimise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.settings import Similarity
from medarch.tasks.registration.local_correlation import LocalCorrelation
from medarch.tasks.registration.mind_descriptor import mind_descriptor
from medarch.tasks.registration.mse import mse
from medarch.tasks.registration.nmi import nmi

EPSILON = 0.02
"""Of the local correlation: contrast below a seventh of the image's standard deviation counts little."""

Loss: TypeAlias = Callable[[Tensor], Tensor]


def similarity_loss(name: Similarity, fixed: GridImage, *, window: int) -> Loss:
    """Return a function of warped images ``(1, C, *grid)`` that is smallest where they match the fixed one.

    What depends on the fixed image alone is computed once.

    Args:
        name: of the measure; ``auto`` is decided before.
        fixed: image, with the mask of what counts.
        window: side in voxels of the local correlation.

    Raises:
        ValueError: the name is not that of a measure.
    """
    if name == "lncc":
        return LocalCorrelation(fixed.values, window=window, mask=fixed.mask, epsilon=EPSILON, noise=True)
    if name == "mind":
        described = mind_descriptor(fixed.values)
        return lambda warped: mse(described, mind_descriptor(warped), mask=fixed.mask)
    if name == "nmi":
        return lambda warped: nmi(fixed.values, warped, mask=fixed.mask)
    if name == "mse":
        return lambda warped: mse(fixed.values, warped, mask=fixed.mask)
    raise ValueError(f"no similarity: {name}")
