"""The network's grid of a case."""

from __future__ import annotations

from medarch.core.geometry import Triple
from medarch.core.plan import PreprocessingPlan


def target_grid(
    shape: Triple, spacing_mm: tuple[float, float, float], recipe: PreprocessingPlan
) -> tuple[tuple[float, float, float], Triple]:
    """Return the wanted spacing and the shape that keeps the extent, halves rounded to even as in Python.

    Args:
        shape: of the cropped case, network axes.
        spacing_mm: of the same axes.
        recipe: what to do.
    """
    target = [old if new is None else new for old, new in zip(spacing_mm, recipe.spacing_mm, strict=True)]
    # A single thin slice must not vanish among thick ones.
    sizes = [max(1, round(old / new * size)) for old, new, size in zip(spacing_mm, target, shape, strict=True)]
    return (target[0], target[1], target[2]), (sizes[0], sizes[1], sizes[2])
