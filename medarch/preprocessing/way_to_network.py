"""Reorientation and transposition of a recipe in one."""

from __future__ import annotations

from medarch.core.geometry import Geometry, Triple
from medarch.core.plan import PreprocessingPlan


def way_to_network(geometry: Geometry, recipe: PreprocessingPlan) -> tuple[Triple, tuple[bool, bool, bool]]:
    """Return ``(permutation, flips)``: network axis ``n`` is file axis ``permutation[n]``, reversed if ``flips[n]``.

    Args:
        geometry: the file's grid.
        recipe: its orientation and axes.
    """
    order: Triple = (0, 1, 2)
    turned = (False, False, False)
    if recipe.orientation is not None:
        _, order, turned = geometry.reoriented(recipe.orientation)
    first, second, third = recipe.axes
    return (order[first], order[second], order[third]), (turned[first], turned[second], turned[third])
