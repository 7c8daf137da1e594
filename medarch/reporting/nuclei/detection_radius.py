"""How far apart centres of nuclei may be to count as one."""

from __future__ import annotations

from medarch.core.nuclei_evaluation import NucleiEvaluation
from medarch.evaluation.nuclei.pair_centroids import RADIUS_PIXELS


def detection_radius(evaluation: NucleiEvaluation) -> str:
    """Return the distance with its unit."""
    radius = evaluation.detection_radius_mm
    return f"{RADIUS_PIXELS:g} pixels" if radius is None else f"{radius:.3g} mm"
