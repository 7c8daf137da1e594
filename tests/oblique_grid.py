"""Grids in all 48 orientations, turned by odd angles, with three different spacings."""

import itertools

import numpy as np
from scipy.spatial.transform import Rotation

from medarch.core.geometry import Geometry

ORIENTATIONS = [
    "".join(pair[sign] for pair, sign in zip(axes, signs, strict=True))
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for signs in itertools.product((0, 1), repeat=3)
]


def oblique_grid(
    axcodes: str = "RAS",
    *,
    shape: tuple[int, int, int] = (12, 14, 10),
    spacing_mm: tuple[float, float, float] = (1.9, 2.3, 3.7),
    degrees: float = 12.0,
    centre_mm: tuple[float, float, float] = (-21.5, 33.25, 7.75),
) -> Geometry:
    """A grid about ``centre_mm`` whose axes point closest to ``axcodes``."""
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(axcodes):
        world = next(index for index, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        directions[world, axis] = 1.0 if letter in "RAS" else -1.0
    rotation = Rotation.from_euler("xyz", [degrees, -degrees / 2, degrees / 3], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = rotation @ directions * spacing_mm
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry.from_array(shape, affine)
