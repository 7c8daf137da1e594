"""Voxels that patches can be centred on so that they hold foreground."""

from __future__ import annotations

import numpy as np

from medarch.core.labels import LabelScheme

ANNOTATED = -1
"""Key of the voxels anybody annotated, present when the dataset has an ignore label."""
MOST_VOXELS = 10_000
LEAST_SHARE = 0.01
SEED = 1234


def sample_locations(label: np.ndarray, labels: LabelScheme) -> dict[int, np.ndarray]:
    """Draw voxels of each foreground value that occurs, without replacement.

    Each value gets all its voxels up to 10,000, and beyond that 10,000 or 1 % of them, whichever is more (nnU-Net's
    numbers and seed). Regions are unions of values; a sampler joins them.

    Args:
        label: ``(N0, N1, N2)`` integers.
        labels: which values are foreground, and which means "not annotated".

    Returns:
        ``(n, 3)`` int32 voxel indices by label value; with an ignore label also :data:`ANNOTATED`.
    """
    flat = label.ravel()
    wanted = np.zeros(int(max(labels.values)) + 1, dtype=bool)
    wanted[list(labels.foreground_values)] = True
    positions = np.flatnonzero(flat > 0)
    values = flat[positions]
    stream = np.random.RandomState(SEED)
    locations = {}
    for value in np.flatnonzero(np.bincount(values, minlength=len(wanted))[: len(wanted)] * wanted):
        locations[int(value)] = _draw(positions[values == value], label.shape, stream)
    if labels.ignore_value is not None:
        annotated = np.flatnonzero(flat != labels.ignore_value)
        if annotated.size:
            locations[ANNOTATED] = _draw(annotated, label.shape, stream)
    return locations


def _draw(positions: np.ndarray, shape: tuple[int, ...], stream: np.random.RandomState) -> np.ndarray:
    count = max(min(MOST_VOXELS, len(positions)), int(np.ceil(LEAST_SHARE * len(positions))))
    drawn = positions if count == len(positions) else positions[stream.choice(len(positions), count, replace=False)]
    return np.stack(np.unravel_index(drawn, shape), axis=1).astype(np.int32)
