"""nnU-Net's measure of memory: how many activation elements the convolutions of one patch write."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.plan import Voxels

PLAIN_BLOCKS = 2
RESIDUAL_BLOCKS = (1, 3, 4, 6)


def encoder_blocks(stages: int, *, residual: bool) -> tuple[int, ...]:
    """Convolutions (plain) or residual blocks of each encoder stage; deeper residual stages repeat the last number."""
    if not residual:
        return (PLAIN_BLOCKS,) * stages
    return tuple(RESIDUAL_BLOCKS[min(stage, len(RESIDUAL_BLOCKS) - 1)] for stage in range(stages))


def decoder_blocks(stages: int, *, residual: bool) -> tuple[int, ...]:
    """Convolutions of each decoder stage (one fewer than encoder stages)."""
    return (1 if residual else PLAIN_BLOCKS,) * (stages - 1)


def feature_map_size(
    patch_voxels: Sequence[int],
    *,
    strides: Sequence[Voxels],
    features: Sequence[int],
    heads: int,
    residual: bool,
) -> int:
    """Count channels × voxels over every convolution of the encoder, the decoder and the finest head, batch 1.

    A residual encoder adds a stem, and a projection for each block that changes channels or size. Equal to the
    ``compute_conv_feature_map_size`` that nnU-Net's planners call.
    """
    sizes = _stage_voxels(patch_voxels, strides)
    stages = len(strides)
    total = heads * sizes[0]
    for stage, blocks in enumerate(encoder_blocks(stages, residual=residual)):
        output = features[stage] * sizes[stage]
        total += output * blocks * (2 if residual else 1)
        if residual and (stage == 0 or features[stage] != features[stage - 1] or sizes[stage] != sizes[stage - 1]):
            total += output  # the stem in the first stage, a projection in the others
    for stage, blocks in enumerate(decoder_blocks(stages, residual=residual)):
        total += features[stage] * sizes[stage] * (blocks + 1)  # and the transposed convolution
    return total


def _stage_voxels(patch_voxels: Sequence[int], strides: Sequence[Voxels]) -> list[int]:
    size, voxels = list(patch_voxels), []
    for stride in strides:
        size = [edge // step for edge, step in zip(size, stride, strict=True)]
        voxels.append(math.prod(size))
    return voxels
