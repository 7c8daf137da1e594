"""Panoptic quality over types and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality


@dataclass(frozen=True)
class MultiClassQuality:
    """The same counts, summed up in the two ways that publications use."""

    pooled: float
    """mPQ+ (CoNIC): counts are added over all images, then the mean over types. Spurious nuclei always count."""
    per_image: float
    """mPQ (PanNuke): the mean over the types that the image's reference has, then over images."""
    per_type: tuple[float, ...]
    """Pooled PQ of each type; NaN for one that occurs nowhere."""
    spurious_of_absent_types: int
    """Nuclei found in images whose reference has none of their type: :attr:`per_image` does not see them."""


def multi_class_quality(images: Sequence[Sequence[PanopticQuality]]) -> MultiClassQuality:
    """Sum up the counts of each type of each image.

    Sources: Gamper et al. 2020, arXiv:2003.10778 (PanNuke); Graham et al. 2021, arXiv:2111.14485 (CoNIC).
    """
    types = [sum(counts, PanopticQuality()) for counts in zip(*images, strict=True)]
    per_type = tuple(counts.quality for counts in types)
    of_images = [
        float(np.mean(present))
        for counts in images
        if (present := [one.quality for one in counts if one.hits + one.missed])
    ]
    absent = [one.spurious for counts in images for one in counts if not one.hits + one.missed]
    defined = [value for value in per_type if not np.isnan(value)]
    return MultiClassQuality(
        pooled=float(np.mean(defined)) if defined else float("nan"),
        per_image=float(np.mean(of_images)) if of_images else float("nan"),
        per_type=per_type,
        spurious_of_absent_types=sum(absent),
    )
