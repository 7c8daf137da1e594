"""How many planes of a volume are worked on at once."""

from __future__ import annotations

from collections.abc import Iterator

SLAB_BYTES = 2**25
"""What the planes in work take together; at least one plane is."""
FLOAT_BYTES = 4


def plane_spans(channels: int, shape: tuple[int, int, int]) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges along the last axis whose ``channels`` float32 planes fill at most ``SLAB_BYTES``."""
    i, j, k = shape
    step = max(1, SLAB_BYTES // (channels * i * j * FLOAT_BYTES))
    for low in range(0, k, step):
        yield low, min(low + step, k)
