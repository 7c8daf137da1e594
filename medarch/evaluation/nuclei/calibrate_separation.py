"""The constants that suit a trained network."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from medarch.core.separation import Separation
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

PROBABILITIES = (0.4, 0.5, 0.6)
SLOPES = (-0.16, -0.12, -0.08, -0.06, -0.04, -0.02, 0.0)
KERNELS = (3, 5, 7)
MARKERS = (4, 8, 16, 24)
NUCLEI = (10, 20, 40)
VOLUME_SLOPES = (-0.04, 0.0, 0.02, 0.04, 0.06)
"""In 3D nuclei meet in faces, through which cores join more easily, so borders are sought more eagerly."""
SHARES = (0.5, 1.0, 2.0, 4.0)
"""In 3D the least sizes are these shares of those to start from: volumes of nuclei differ far more than areas."""
LARGEST = 2**20
"""Voxels in all that volumes are calibrated on; of larger ones the middle is taken."""
Maps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Probability ``(*shape)``, distances ``(dim, *shape)``, and the reference's instances ``(*shape)``."""


def calibrate_separation(images: Iterable[Maps], start: Separation) -> tuple[Separation, float]:
    """Return the constants with the highest mean PQ over images that the network was not trained on, and that PQ.

    One constant after another, twice around: kernel and slope together, markers, probability and least size. Equal
    scores leave a constant as it was.

    Args:
        images: maps as the network gives them, with the reference.
        start: constants to start from, which suit the size of nuclei.
    """
    held = list(images)
    volumes = bool(held) and held[0][0].ndim == 3
    if volumes:
        held = [_middle(maps, LARGEST // len(held)) for maps in held]
    slopes = VOLUME_SLOPES if volumes else SLOPES
    markers = [round(share * start.marker_pixels) for share in SHARES] if volumes else MARKERS
    sizes = [round(share * start.nucleus_pixels) for share in SHARES] if volumes else NUCLEI
    best, score = start, mean_quality(held, start)
    for _ in range(2):
        before = best
        steps: tuple[list[dict[str, float]], ...] = (
            [{"slope_pixels": k, "slope_threshold": t} for k, t in itertools.product(KERNELS, slopes)],
            [{"marker_pixels": pixels} for pixels in markers],
            [{"nucleus_threshold": share} for share in PROBABILITIES],
            [{"nucleus_pixels": pixels} for pixels in sizes],
        )
        for step in steps:
            for change in step:
                candidate = _changed(best, change)
                found = mean_quality(held, candidate)
                if found > score:
                    best, score = candidate, found
        if best == before:
            break
    return best, score


def _changed(settings: Separation, change: dict[str, float]) -> Separation:
    """Return the settings with a change, checked."""
    return Separation.model_validate({**settings.model_dump(), **change})


def mean_quality(images: Iterable[Maps], settings: Separation) -> float:
    """Return the mean PQ over images that have nuclei in the reference or the result; 0 if there are none."""
    found: list[PanopticQuality] = []
    for probability, distances, truth in images:
        found.append(panoptic_quality(overlap_table(truth, separate_nuclei(probability, distances, settings))))
    values = [quality.quality for quality in found if not np.isnan(quality.quality)]
    return float(np.mean(values)) if values else 0.0


def _middle(maps: Maps, voxels: int) -> Maps:
    """The middle of a volume, of at most so many voxels."""
    probability, distances, truth = maps
    share = min(1.0, (voxels / truth.size) ** (1 / truth.ndim))
    box = []
    for size in truth.shape:
        kept = max(1, int(size * share))
        box.append(slice((size - kept) // 2, (size - kept) // 2 + kept))
    inner = tuple(box)
    return probability[inner], distances[(slice(None), *inner)], truth[inner]
