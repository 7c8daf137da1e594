"""Where a classifier halves its maps: as published, but an axis of few voxels not down to nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.build_network import build_network
from medarch.networks.encoder import Encoder
from medarch.networks.without_weights import without_weights

SMALLEST_MAP = 2
"""Voxels that the last map keeps along an axis."""
THICK = 2.0
"""An axis whose spacing is so many times the finest's is halved late, for its voxels are coarse already."""


def classifier_strides(network: NetworkPlan, size: Sequence[int], spacing_mm: Sequence[float]) -> tuple[Voxels, ...]:
    """Return strides a stage for an input of ``size``, or none where the published ones suit or cannot be changed.

    Strides that are too many for an axis are taken from the last stages (the early ones make a network cheap), or along
    a thick axis from the first.
    """
    with without_weights():
        encoder = getattr(build_network(network.model_copy(update={"strides": (), "kernels": ()})), "encoder", None)
    if not isinstance(encoder, Encoder):
        return ()
    published = encoder.strides
    columns = []
    for axis, (side, spacing) in enumerate(zip(size, spacing_mm, strict=True)):
        steps = [stride[axis] for stride in published]
        order = range(len(steps)) if spacing > THICK * min(spacing_mm) else reversed(range(len(steps)))
        for stage in order:
            if side / math.prod(steps) >= SMALLEST_MAP:
                break
            steps[stage] = 1
        columns.append(steps)
    fitted = tuple(zip(*columns, strict=True))
    return () if fitted == published else fitted
