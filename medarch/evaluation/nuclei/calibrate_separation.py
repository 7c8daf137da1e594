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
    best, score = start, mean_quality(held, start)
    for _ in range(2):
        before = best
        steps: tuple[list[dict[str, float]], ...] = (
            [{"slope_pixels": k, "slope_threshold": t} for k, t in itertools.product(KERNELS, SLOPES)],
            [{"marker_pixels": pixels} for pixels in MARKERS],
            [{"nucleus_threshold": share} for share in PROBABILITIES],
            [{"nucleus_pixels": pixels} for pixels in NUCLEI],
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
